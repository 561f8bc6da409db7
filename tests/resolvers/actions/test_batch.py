"""Mutations of many rows: each row is written, or fails, as by the mutation of one row."""

import datetime as dt
from typing import Any

import pytest

import models
from models.visibility import Scope
from resolvers.actions.batch import ROWS_MAXIMUM
from schema.types import node_id
from tests.conftest import NOW, StatementCounter
from tests.support.actors import DUTY, HOUR, at, contents, log_after, program, row_of
from tests.support.district import Office, open_office

MINUTE = dt.timedelta(minutes=1)

FAILURE = "... on InvalidInput { field } ... on NotFound { missing }"
CONFLICT = "... on Conflict { currentVersion row: current { id } }"
ROWS = {
    "enterprisesUpsert": CONFLICT
    + " ... on EnterpriseUpserted { enterprise { id name version zone { id } rings { grade } } }",
    "positionsReport": "... on InspectorPositionReported { inspector { id position { latitude } } }",
    "readingsReport": "... on RainfallReported { warnings { id level version liftedAt } }",
}


async def send(office: Office, mutation: str, rows: list[Any], viewer: models.Viewer = DUTY, **more: Any) -> Any:
    """The result of a call."""
    capital = mutation[0].upper() + mutation[1:]
    success = capital.replace("Upsert", "Upserted").replace("Report", "Reported")
    query = (
        f"mutation($input: {capital}Input!) {{ {mutation}(input: $input) {{ __typename ... on InvalidInput {{ field }}"
        f" ... on {success} {{ failures cursor results {{ index result {{ __typename {FAILURE} {ROWS[mutation]} }} }}"
        " } } }"
    )
    return (await office.ask(query, viewer, input={"rows": rows, **more}))[mutation]


def results(answer: Any) -> list[Any]:
    assert [row["index"] for row in answer["results"]] == list(range(len(answer["results"])))
    return [row["result"] for row in answer["results"]]


def briefly(answer: Any) -> list[Any]:
    """Each row's type, with the field at fault."""
    return [(r["__typename"], r["field"]) if "field" in r else r["__typename"] for r in results(answer)]


def key(office: Office, name: str) -> str:
    return name + office.world.mark


def registrations(office: Office) -> list[dict[str, Any]]:
    """Good rows and one for each failure; every good row is about another enterprise."""
    place = {"latitude": 30.1, "longitude": 120.1}
    return [
        {"externalId": key(office, "a"), "name": "甲", "location": place, "industry": "化工"},
        {"externalId": key(office, "b")},
        {"externalId": key(office, "e0"), "industry": "仓储", "location": {"latitude": 30.2, "longitude": 120.3}},
        {"externalId": key(office, "e1"), "industry": "仓储", "expectedVersion": 9},
        {"externalId": key(office, "c"), "name": " "},
        {"externalId": key(office, "d"), "name": "丁", "majorHazardLevel": 5},
        {"creditCode": "91350100M000100Y4Z", "name": "戊"},
        {"externalId": key(office, "a"), "name": "又甲"},
        {"externalId": key(office, "e1")},
        {"externalId": key(office, "f"), "name": "己"},
    ]


EXPECTED = [
    "EnterpriseUpserted",
    ("InvalidInput", "name"),
    "EnterpriseUpserted",
    "Conflict",
    ("InvalidInput", "name"),
    ("InvalidInput", "majorHazardLevel"),
    ("InvalidInput", "creditCode"),
    ("InvalidInput", "externalId"),
    "EnterpriseUpserted",
    "EnterpriseUpserted",
]


async def test_each_enterprise_has_a_result_and_an_event_of_its_own(office: Office) -> None:
    before, notifications = await log_after(office.database), office.notifications
    answer = await send(office, "enterprisesUpsert", registrations(office))
    assert briefly(answer) == EXPECTED
    assert answer["failures"] == 6
    assert results(answer)[0]["enterprise"]["zone"] == {"id": office.world.id("zone")}
    assert len(results(answer)[0]["enterprise"]["rings"]) == 3
    moved = results(answer)[2]["enterprise"]
    assert (moved["rings"], moved["version"]) == ([], 2)
    assert results(answer)[3]["currentVersion"] == 1
    written = (await log_after(office.database))[len(before) :]
    assert [event.kind.name for event in written] == [
        "ENTERPRISE_REGISTERED",
        "ENTERPRISE_CHANGED",
        "ENTERPRISE_REGISTERED",
    ]
    assert answer["cursor"].endswith(f"-{written[-1].id}")
    assert office.notifications == notifications + 1
    # The event of the enterprise that moved matches filters for where it was as well.
    assert written[1].zones == {office.world.zone, office.world.other_zone}
    assert {change["field"] for change in written[1].changes} >= {"industry", "zoneId"}


async def test_a_retired_enterprise_is_restored_when_it_is_registered_again(office: Office) -> None:
    world, retired = office.world, key(office, "e1")
    key_only, changed = {"externalId": retired}, {"externalId": retired, "industry": "仓储"}
    listed = "query($ids: [ID!]!) { enterprises(first: 5, filter: {ids: $ids}) { nodes { id retiredAt version } } }"
    version = 1
    for rows, changes in (([key_only], set()), ([changed, key_only], {"industry"})):
        async with office.database.write() as session:
            row = await session.get_one(models.Enterprise, world.other_enterprise)
            assert row.external_id == retired
            row.retired_at, row.version = NOW - HOUR, version
        conflict = await office.act(DUTY, "enterpriseUpsert", externalId=retired, expectedVersion=version + 1)
        assert conflict["__typename"] == "Conflict"
        assert (await office.ask(listed, DUTY, ids=[node_id.encode("Enterprise", row.id)]))["enterprises"][
            "nodes"
        ] == []
        before = len(await log_after(office.database))
        answer = await send(office, "enterprisesUpsert", rows)
        assert results(answer)[0]["enterprise"]["version"] == version + 1
        [event] = (await log_after(office.database))[before:]
        assert event.kind is models.EventKind.ENTERPRISE_RESTORED
        assert event.subject_id == row.id
        assert {c["field"] for c in event.changes} == {"retiredAt", *changes}
        [shown] = (await office.ask(listed, DUTY, ids=[node_id.encode("Enterprise", row.id)]))["enterprises"]["nodes"]
        assert (shown["retiredAt"], shown["version"]) == (None, version + 1)
        version += 1


async def test_many_rows_do_what_the_same_rows_do_one_by_one(office: Office) -> None:
    """The same rows and events, in two districts."""
    other = await open_office(office.graph, office.database)
    seen = []
    for one_by_one, each in ((False, office), (True, other)):
        before = len(await log_after(office.database))
        rows = [row for row, result in zip(registrations(each), EXPECTED, strict=True) if result != EXPECTED[7]]
        if one_by_one:
            shown = [await each.act(DUTY, "enterpriseUpsert", **row) for row in rows]
        else:
            shown = results(await send(each, "enterprisesUpsert", rows))
        events = [
            (e.kind, [(c["field"], c["from"], c["to"]) for c in e.changes if c["field"] not in ("zoneId",)], e.risk)
            for e in (await log_after(office.database))[before:]
        ]
        names = {row.name: row for row in (await contents(office.database, models.Enterprise))["enterprise"].values()}
        seen.append(([r["__typename"] for r in shown], events, len(names["甲"].name), names["己"].version))
    assert seen[0] == seen[1]


async def test_positions_are_written_without_events(office: Office) -> None:
    world, before = office.world, len(await log_after(office.database))

    def row(name: str, latitude: float, **more: Any) -> dict[str, Any]:
        return {"inspector": world.id(name), "position": {"latitude": latitude, "longitude": 120.1}, **more}

    missing = node_id.encode("Inspector", 2**31 - 1)
    rows = [
        row("inspector", 30.2, at=at(NOW - MINUTE)),
        row("other_inspector", 30.3),
        row("inspector", 30.1, at=at(NOW - 2 * MINUTE)),
        row("inspector", 91.0),
        {**row("inspector", 30.0), "inspector": missing},
        row("inspector", 30.0, at=at(NOW + HOUR)),
        {**row("inspector", 30.0), "inspector": "x"},
    ]
    answer = await send(office, "positionsReport", rows)
    assert briefly(answer) == [
        *["InspectorPositionReported"] * 3,
        ("InvalidInput", "position.latitude"),
        "NotFound",
        ("InvalidInput", "at"),
        ("InvalidInput", "inspector"),
    ]
    assert (await row_of(office.database, models.Inspector, world.inspector)).latitude == 30.2
    assert (await row_of(office.database, models.Inspector, world.other_inspector)).latitude == 30.3
    assert len(await log_after(office.database)) == before
    # An inspector reports only for themselves.
    answer = await send(office, "positionsReport", rows[:2], world.officer)
    assert briefly(answer) == ["InspectorPositionReported", "Forbidden"]


async def test_readings_raise_aggravate_and_lift_warnings_in_their_order(office: Office) -> None:
    zone, start, before = office.world.id("zone"), NOW - 20 * HOUR, len(await log_after(office.database))
    rain = [(0, 30.0), (1, 30.0), (2, 60.0), (3, 1.0), (21, 1.0), (4, -1.0), (5, 0.0), (20, 0.0), (5, 0.5)]
    rows = [{"zone": zone, "millimetres": mm, "at": at(start + hours * HOUR)} for hours, mm in rain]
    answer = await send(office, "readingsReport", rows)
    assert briefly(answer) == [
        *["RainfallReported"] * 4,
        ("InvalidInput", "at"),
        ("InvalidInput", "millimetres"),
        *["RainfallReported"] * 3,
    ]
    changed = [[w["id"] for w in r.get("warnings", [])] for r in results(answer)]
    assert [bool(ids) for ids in changed] == [False, True, True, False, False, False, False, True, False]
    events = (await log_after(office.database))[before:]
    assert [e.kind.name for e in events] == ["WARNING_RAISED", "WARNING_RAISED", "WARNING_LIFTED"]
    # As by one reading after the other: each event tells its own change only.
    assert [[c["field"] for c in e.changes] for e in events] == [[], ["level", "headline"], ["liftedAt"]]
    last = results(answer)[7]["warnings"][0]
    assert (last["level"], last["version"], last["liftedAt"]) == ("RED", 3, at(NOW))
    readings = (await contents(office.database, models.RainfallReading))["rainfall_reading"].values()
    assert sorted((r.at - start) / HOUR for r in readings if r.zone_id == office.world.zone) == [0, 1, 2, 3, 5, 20]


async def test_a_repeat_keeps_what_succeeded_and_tries_the_rest_again(office: Office) -> None:
    rows = registrations(office)[:2]
    first = await send(office, "enterprisesUpsert", rows, clientMutationId=key(office, "m"))
    assert briefly(first) == EXPECTED[:2]
    again = await send(office, "enterprisesUpsert", rows, clientMutationId=key(office, "m"))
    assert results(again) == results(first)
    # Meanwhile somebody has registered the enterprise of the row that failed.
    await office.done(DUTY, "enterpriseUpsert", externalId=rows[1]["externalId"], name="乙")
    events = len(await log_after(office.database))
    for _ in range(2):
        third = await send(office, "enterprisesUpsert", rows, clientMutationId=key(office, "m"))
        assert briefly(third) == ["EnterpriseUpserted", "EnterpriseUpserted"]
        assert results(third)[0] == results(first)[0]
    assert len(await log_after(office.database)) == events
    other = await send(office, "enterprisesUpsert", rows[:1], clientMutationId=key(office, "m"))
    assert (other["__typename"], other["field"]) == ("InvalidInput", "clientMutationId")
    # A call of which nothing succeeded leaves its id free.
    for failing in (rows[1:] and [{"externalId": key(office, "z")}], [{"externalId": key(office, "y")}]):
        answer = await send(office, "enterprisesUpsert", failing, clientMutationId=key(office, "n"))
        assert briefly(answer) == [("InvalidInput", "name")]


async def test_a_call_has_rights_and_bounds(office: Office) -> None:
    row = {"externalId": key(office, "e0")}
    before = await contents(office.database)
    for mutation, rows in (("enterprisesUpsert", [row]), ("positionsReport", []), ("readingsReport", [])):
        for viewer in (office.world.own, program(), program(Scope.READ, Scope.WARNINGS)):
            assert (await send(office, mutation, rows, viewer))["__typename"] == "Forbidden"
        assert results(await send(office, mutation, [])) == []
    too_many = await send(office, "enterprisesUpsert", [row] * (ROWS_MAXIMUM + 1))
    assert (too_many["__typename"], too_many["field"]) == ("InvalidInput", "rows")
    assert await contents(office.database) == before


async def test_a_program_sees_only_what_its_call_wrote(office: Office) -> None:
    world = office.world
    rows: list[dict[str, Any]] = [
        {"externalId": key(office, "e0")},
        {"externalId": key(office, "e1"), "expectedVersion": 9},
    ]
    answer = await send(
        office,
        "enterprisesUpsert",
        [*rows, {**rows[1], "industry": "化工", "expectedVersion": 1}],
        program(Scope.REGISTER),
    )
    assert [r.get("enterprise", r.get("row")) is None for r in results(answer)] == [True, True, False]
    old = {"inspector": world.id("inspector"), "position": {"latitude": 30.1, "longitude": 120.1}}
    await send(office, "positionsReport", [old])
    answer = await send(
        office, "positionsReport", [{**old, "at": at(NOW - dt.timedelta(days=9))}], program(Scope.POSITIONS)
    )
    assert results(answer) == [{"__typename": "InspectorPositionReported", "inspector": None}]


@pytest.mark.exhaustive
async def test_a_thousand_rows_take_few_statements(office: Office) -> None:
    """SQLite inserts an enterprise and an event for each row; nothing else is done row by row."""
    rows = [
        {"externalId": key(office, f"k{n}"), "name": f"企业{n}", "location": {"latitude": 30.2, "longitude": 120.1}}
        for n in range(ROWS_MAXIMUM)
    ]
    for changed in ({}, {"industry": "化工", "location": {"latitude": 30.2, "longitude": 120.3}}):
        with StatementCounter(office.database) as counter:
            answer = await send(office, "enterprisesUpsert", [{**row, **changed} for row in rows])
        assert answer["failures"] == 0
        assert len(counter.texts) < 2.1 * ROWS_MAXIMUM
