"""Tokens that are issued: who may hold one, how long, under which name; and their end."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

import models
from models import Role, Scope, TokenKind
from models.db.database import Database
from models.db.tables import table_of
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries.holders import Holder, Proof, find_holders
from resolvers.tokens import ListedToken, NewToken, issue_token, list_tokens, revoke_token, touch_tokens
from tests.conftest import NOW, StatementCounter
from tests.support.actors import change, insert, small_world

TOKEN, ACCOUNT = table_of(models.Token), table_of(models.Account)
HOUR = dt.timedelta(hours=1)
GAUGE = NewToken(ttl=HOUR, name="gauge", role=Role.INTEGRATOR, scopes=frozenset({Scope.READ, Scope.READINGS}))


async def issue(database: Database, new: NewToken = GAUGE, now: dt.datetime = NOW, **given: Any) -> ListedToken:
    return await issue_token(database, replace(new, **given), "0123456789abcdef", "console", now)


async def holder(database: Database, issued: ListedToken, now: dt.datetime = NOW) -> Holder | None:
    proof = Proof("token", issued.token.jti)
    return (await find_holders(database, [proof], now)).get(proof)


async def code_of(database: Database, **given: Any) -> ErrorCode:
    with pytest.raises(RequestError) as refused:
        await issue(database, **given)
    return refused.value.code


async def account(database: Database, **given: Any) -> int:
    row = {"name": "li.wei", "full_name": "李伟", "role": Role.COMMANDER, "must_change": False, "created_at": NOW}
    [key] = await insert(database, models.Account, {**row, **given})
    return key


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (GAUGE, Holder(Role.INTEGRATOR, "program:gauge", "gauge", frozenset({Scope.READ, Scope.READINGS}))),
        (NewToken(ttl=HOUR, name="值班长", role=Role.COMMANDER), Holder(Role.COMMANDER, "person:值班长", "值班长")),
        (NewToken(ttl=HOUR, name=" 大厅 ", role=Role.WALL), Holder(Role.WALL, "screen:1", "大厅")),
        # A badge and a code are names. The log then has the inspector's own.
        (NewToken(ttl=HOUR, role=Role.INSPECTOR, inspector="b0"), Holder(Role.INSPECTOR, "person:b0", "检查员0")),
        (NewToken(ttl=HOUR, role=Role.ENTERPRISE, enterprise="e0"), Holder(Role.ENTERPRISE, "person:e0", "e0")),
    ],
    ids=lambda value: str(value.role) if isinstance(value, NewToken) else "",
)
async def test_a_token_has_a_holder_with_an_identity(database: Database, new: NewToken, expected: Holder) -> None:
    world = await small_world(database)
    issued = await issue(database, new)
    inspector = world.inspector if new.inspector else None
    enterprise = world.enterprise if new.enterprise else None
    whole = replace(expected, inspector=inspector, enterprise=enterprise, expires_at=NOW + HOUR, row=issued.token.id)
    assert await holder(database, issued) == whole
    assert await list_tokens(database, NOW) == [issued]


async def test_a_token_of_an_account_follows_the_account(database: Database) -> None:
    world = await small_world(database)
    key = await account(database)
    issued = await issue(database, NewToken(ttl=HOUR, account="Li.Wei"))
    assert (issued.role, issued.token.kind, issued.token.name) == (Role.COMMANDER, TokenKind.PERSON, "Li.Wei")
    known = await holder(database, issued)
    assert known is not None
    assert (known.identity, known.account, known.role, known.name) == (f"account:{key}", key, Role.COMMANDER, "李伟")
    moved = {"role": Role.INSPECTOR, "inspector_id": world.inspector}
    await change(database, sa.update(ACCOUNT).values(moved))
    known = await holder(database, issued)
    assert known is not None
    assert (known.role, known.inspector) == (Role.INSPECTOR, world.inspector)
    assert [each.role for each in await list_tokens(database, NOW)] == [Role.INSPECTOR]
    await change(database, sa.update(ACCOUNT).values(disabled_at=NOW))
    assert await holder(database, issued) is None
    assert await code_of(database, new=NewToken(ttl=HOUR, account="li.wei", name="again")) is ErrorCode.BAD_INPUT


@pytest.mark.parametrize(
    "given",
    [
        {"role": None},
        {"role": Role.WALL, "scopes": frozenset({Scope.READ})},
        {"name": None},
        {"name": ""},
        {"name": " "},
        {"name": "a\nb"},
        {"name": "x" * 101},
        {"inspector": "b0"},
        {"role": Role.INSPECTOR, "scopes": frozenset()},
        {"role": Role.INSPECTOR, "scopes": frozenset(), "inspector": "nobody"},
        {"role": Role.INSPECTOR, "scopes": frozenset(), "inspector": "b0", "enterprise": "e0"},
        {"role": Role.ENTERPRISE, "scopes": frozenset(), "enterprise": "b0"},
        {"role": Role.ENTERPRISE, "scopes": frozenset(), "enterprise": ""},
        {"account": "li.wei"},
        {"role": None, "scopes": frozenset(), "account": "nobody"},
        {"ttl": dt.timedelta(0)},
        {"ttl": -HOUR},
        {"ttl": dt.timedelta(days=366, seconds=1)},
    ],
    ids=str,
)
async def test_a_token_that_nobody_could_hold_is_refused(database: Database, given: dict[str, Any]) -> None:
    await small_world(database)
    await account(database)
    assert await code_of(database, **given) is ErrorCode.BAD_INPUT
    assert await list_tokens(database, NOW, ended=True) == []


async def test_a_name_is_free_again_once_its_token_has_ended(database: Database) -> None:
    first = await issue(database)
    assert await code_of(database) is ErrorCode.NAME_TAKEN
    await issue(database, role=Role.WALL, scopes=frozenset())  # a screen of the same name
    assert await revoke_token(database, first.token.id, "account:7", NOW)
    second = await issue(database, ttl=HOUR)
    assert await code_of(database, now=NOW + HOUR - dt.timedelta(seconds=1)) is ErrorCode.NAME_TAKEN
    third = await issue(database, now=NOW + HOUR)
    ended = [each for each in await list_tokens(database, NOW + HOUR, ended=True) if each.role is Role.INTEGRATOR]
    assert [(each.token.id, each.token.revoked_at, each.token.revoked_by) for each in ended] == [
        (third.token.id, None, None),
        (second.token.id, NOW + HOUR, None),
        (first.token.id, NOW, "account:7"),
    ]
    # The program goes on as the same.
    known = await holder(database, third, NOW + HOUR)
    assert known is not None
    assert known.identity == "program:gauge"


async def test_a_token_counts_until_it_is_revoked_or_expires(database: Database) -> None:
    issued = await issue(database)
    other = await issue(database, name="other")
    assert await holder(database, issued, NOW + HOUR - dt.timedelta(seconds=1)) is not None
    assert await holder(database, issued, NOW + HOUR) is None
    assert await revoke_token(database, issued.token.id, "console", NOW)
    assert await holder(database, issued) is None
    assert await holder(database, other) is not None
    assert not await revoke_token(database, issued.token.id, "console", NOW)
    assert not await revoke_token(database, other.token.id, "console", NOW + HOUR)
    assert not await revoke_token(database, 999, "console", NOW)


async def test_the_last_use_is_written_once_a_minute(database: Database) -> None:
    key = (await issue(database)).token.id
    second = dt.timedelta(seconds=1)
    for after, expected in ((0, 0), (59, 0), (60, 60), (61, 60)):
        await touch_tokens(database, [key], NOW + after * second)
        [listed] = await list_tokens(database, NOW)
        assert listed.token.last_used_at == NOW + expected * second


async def test_many_holders_are_found_by_one_statement_of_each_kind(database: Database) -> None:
    await small_world(database)
    tokens = [Proof("token", (await issue(database, name=f"gauge {n}")).token.jti) for n in range(20)]
    proofs = [*tokens, Proof("token", "nobody"), Proof("login", "nobody"), Proof("inspector", "b0")]
    proofs += [Proof("enterprise", "e0"), Proof("enterprise", "e1"), Proof("inspector", "")]
    with StatementCounter(database) as counter:
        holders = await find_holders(database, proofs, NOW)
    assert set(holders) == {*tokens, Proof("inspector", "b0"), Proof("enterprise", "e0"), Proof("enterprise", "e1")}
    assert len(counter.texts) == 4
