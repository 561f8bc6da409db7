"""Random registrations of enterprises against a model in plain Python: results, rows, versions and events."""

from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from models.credit_code import complete
from models.db.tables import table_of
from tests.conftest import NOW
from tests.support.actors import DUTY, change, contents, log_after
from tests.support.district import Office
from tests.support.proof_mode import examples

QUERY = """mutation($rows: [EnterprisesUpsertRow!]!) { enterprisesUpsert(input: {rows: $rows}) {
  ... on EnterprisesUpserted { results { result {
    __typename ... on InvalidInput { errors { field } } ... on Conflict { currentVersion }
    ... on EnterpriseUpserted { enterprise { version } } } } } } }"""
NUMBERS = count(1)
KEYS = ("creditCode", "externalId")


@dataclass(frozen=True)
class Known:
    """An enterprise as the model has it."""

    keys: frozenset[tuple[str, str]]
    values: tuple[Any, ...] = (None, None, None)  # name, industry, level of the major hazard installation
    version: int = 1
    retired: bool = False


def registration(marks: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "creditCode": st.sampled_from([complete(mark) for mark in marks]),
            "externalId": st.sampled_from(marks),
            "name": st.sampled_from(["甲", "乙", None]),
            "industry": st.sampled_from(["化工", None]),
            "majorHazardLevel": st.sampled_from([1, 2, 5, None]),
            "expectedVersion": st.sampled_from([1, 2]),
        },
    )


def apply(known: list[Known], rows: list[dict[str, Any]]) -> tuple[list[Any], int]:
    """The answers of a call and the number of its events. Changes `known` as the call changes the database."""
    before, used, answers, events = list(known), set[Any](), list[Any](), 0
    for row in rows:
        keys = {(name, row[name]) for name in KEYS if name in row}
        matching = [i for i, each in enumerate(before) if each.keys & keys]
        faults = {"creditCode"} if not keys else set()
        faults |= {"name"} if row.get("name", "") is None else set()
        faults |= {"majorHazardLevel"} if row.get("majorHazardLevel") == 5 else set()
        version = row.get("expectedVersion")
        if len(matching) > 1:
            faults.add("externalId")
        elif used & {*keys, *matching}:
            faults.add(next(name for name in KEYS if name in row))
        elif matching and version not in (None, before[matching[0]].version):
            answers.append(sorted(faults) or ("conflict", before[matching[0]].version))
            continue
        elif not matching and "name" not in row:
            faults.add("name")
        if faults:
            answers.append(sorted(faults))
            continue
        old = known[matching[0]] if matching else Known(frozenset())
        names = ("name", "industry", "majorHazardLevel")
        values = tuple(row.get(name, value) for name, value in zip(names, old.values, strict=True))
        own = dict(old.keys) | dict(keys)
        new = replace(old, keys=frozenset(own.items()), values=values, retired=False)
        used |= {*keys, *matching}
        if not matching:
            known.append(new)
            events += 1
        elif new != old:
            new = known[matching[0]] = replace(new, version=old.version + 1)
            events += 1
        answers.append(new.version)
    return answers, events


def shown(result: Any) -> Any:
    match result["__typename"]:
        case "InvalidInput":
            return sorted({error["field"] for error in result["errors"]})
        case "Conflict":
            return "conflict", result["currentVersion"]
    return result["enterprise"]["version"]


async def stored(office: Office, marks: list[str]) -> set[Known]:
    """The enterprises of these keys in the database."""
    rows = (await contents(office.database, models.Enterprise))["enterprise"].values()
    enterprises = set()
    for row in rows:
        keys = {"creditCode": row.credit_code, "externalId": row.external_id}
        given = frozenset((name, key) for name, key in keys.items() if key is not None)
        if any(key.startswith(tuple(marks)) for _, key in given):
            values = (row.name, row.industry, row.major_hazard_level)
            enterprises.add(Known(given, values, row.version, row.retired_at is not None))
    return enterprises


async def retire(office: Office, known: Known) -> None:
    table = table_of(models.Enterprise)
    [(name, key), *_] = known.keys
    column = table.c.credit_code if name == "creditCode" else table.c.external_id
    await change(office.database, sa.update(table).where(column == key).values(retired_at=NOW))


@given(data=st.data())
@settings(
    max_examples=examples(25, proof=2_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_registrations_do_what_the_model_says(office: Office, data: st.DataObject) -> None:
    number = next(NUMBERS)
    marks = [f"91330109MA{number:05d}{i:02d}" for i in range(3)]
    known: list[Known] = []
    for _ in range(data.draw(st.integers(1, 3), label="calls")):
        retires: bool = data.draw(st.booleans(), label="retire")
        if known and retires:
            known[0] = replace(known[0], retired=True)
            await retire(office, known[0])
        rows = data.draw(st.lists(registration(marks), min_size=1, max_size=6), label="rows")
        before = len(await log_after(office.database))
        answers, events = apply(known, rows)
        answer = await office.ask(QUERY, DUTY, rows=rows)
        assert [shown(each["result"]) for each in answer["enterprisesUpsert"]["results"]] == answers
        assert await stored(office, marks) == set(known)
        assert len(await log_after(office.database)) - before == events
