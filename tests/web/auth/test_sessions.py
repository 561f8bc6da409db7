"""A viewer who leaves the register gets no later event, on any transport."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models.db.tables import table_of
from models.visibility import Role
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.stream_clients import ALL, Closed, LiveDistrict, live_district, small_district
from web.graphql import close_codes

INSPECTOR = table_of(models.Inspector)
ENTERPRISE = table_of(models.Enterprise)
TOKEN = "x-graphql-event-stream-token"


@pytest_asyncio.fixture
async def live(databases: Databases, migrated_url: str, scratch: Path) -> AsyncIterator[LiveDistrict]:
    with live_district(scratch, *await small_district(databases, migrated_url)) as district:
        yield district


def of(live: LiveDistrict, role: Role) -> str:
    return live.token(role, inspector="b0" if role is Role.INSPECTOR else None, enterprise="e0")


async def leave(live: LiveDistrict, role: Role) -> None:
    """Remove the holder's badge or code from the register without an event."""
    if role is Role.INSPECTOR:
        await live.execute(sa.update(INSPECTOR).where(INSPECTOR.c.badge == "b0").values(badge="another"))
    else:
        await live.execute(sa.update(ENTERPRISE).where(ENTERPRISE.c.external_id == "e0").values(external_id="another"))


async def change_enterprise(live: LiveDistrict) -> int:
    """Append an event that every role sees. Returns its number."""
    kind, key = models.EventKind.ENTERPRISE_CHANGED, live.world.enterprise
    [number] = await live.append_events(1, kind=kind, subject=kind.subject, subject_id=key)
    return number


@asynccontextmanager
async def client(live: LiveDistrict, token: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    async with httpx.AsyncClient(base_url=live.address, headers=headers, timeout=PATIENCE) as client:
        yield client


async def until(lines: AsyncIterator[str], word: str) -> None:
    async for line in lines:
        if word in line:
            return
    raise AssertionError(f"no {word!r} came")


@pytest.mark.parametrize("role", [Role.INSPECTOR, Role.ENTERPRISE])
async def test_a_holder_who_left_the_register_gets_no_later_event(live: LiveDistrict, role: Role) -> None:
    token, body = of(live, role), {"query": ALL}
    async with AsyncExitStack() as stack:
        socket = await stack.enter_async_context(live.socket(token))
        other = await stack.enter_async_context(live.socket())
        for each in (socket, other):
            await each.subscribe("1", ALL)
            await each.expect_quiet()
        http = await stack.enter_async_context(client(live, token))
        distinct = await stack.enter_async_context(http.stream("POST", "/graphql", json=body))
        headers = {TOKEN: (await http.put("/graphql/stream")).text}
        single = await stack.enter_async_context(http.stream("GET", "/graphql/stream", headers=headers))
        named: Any = {**body, "extensions": {"operationId": "1"}}
        assert (await http.post("/graphql/stream", json=named, headers=headers)).status_code == 202

        await change_enterprise(live)
        await socket.next()
        await other.next()
        streams = [distinct.aiter_lines(), single.aiter_lines()]
        for lines in streams:
            await until(lines, "ENTERPRISE_CHANGED")

        await leave(live, role)
        number = await change_enterprise(live)
        await other.next()
        assert (other.cursor or "").endswith(f"-{number}")
        # No message comes before the close. `closed` would skip it.
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(Closed) as closed:
                await socket.receive()
            assert closed.value.code == close_codes.FORBIDDEN.code
            for lines in streams:
                assert [line async for line in lines if line.startswith("data")] == []

        # They cannot come back either, though their token was valid a moment ago.
        assert (await http.post("/graphql", json=body)).status_code == 401
        async with live.socket(init=False) as again:
            await again.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
            assert (await again.closed()).code == close_codes.FORBIDDEN.code


async def test_holders_who_are_still_registered_go_on(live: LiveDistrict) -> None:
    async with (
        live.socket(live.token(Role.INSPECTOR, inspector="b1")) as inspector,
        live.socket(of(live, Role.ENTERPRISE)) as enterprise,
    ):
        for socket in (inspector, enterprise):
            await socket.subscribe("1", ALL)
            await socket.expect_quiet()
        await leave(live, Role.INSPECTOR)  # a different inspector
        for number in [await change_enterprise(live) for _ in range(3)]:
            for socket in (inspector, enterprise):
                await socket.next()
                assert (socket.cursor or "").endswith(f"-{number}")
