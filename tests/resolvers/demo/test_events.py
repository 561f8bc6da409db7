"""The demo's log: the last month, in order, and consistent with the rows."""

import asyncio
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models import CaseStatus, EventKind, HazardLevel, Role, Row, Subject
from models.db.database import Database
from models.lifecycle import LIFECYCLES
from resolvers.demo import batches, events, seed, seeding
from resolvers.demo.writing import Writer
from schema.types import node_id
from subscriptions import event_log
from tests.conftest import Ask
from tests.support.demo_rows import MIDNIGHT, NUMBER, TODAY, Rows, by_id, make
from tests.support.log_writes import append_events, wait_for_lock_waiter

FROM = MIDNIGHT - dt.timedelta(days=30)
SUBJECTS: dict[Subject, Any] = {s: getattr(models, s.value) for s in Subject if s is not Subject.REGISTER}
WITH_STATUS = {Subject.INSPECTION, Subject.HAZARD, Subject.CASE, Subject.DISPATCH, Subject.ASSISTANCE}
EXTENSIONS = {EventKind.HAZARD_EXTENSION_REQUESTED, EventKind.HAZARD_EXTENSION_DECIDED}
# An event after those of the demo.
NEXT = {"at": MIDNIGHT, "kind": EventKind.TEAM_STANDBY_SET, "subject": Subject.TEAM, "subject_id": 1}
# The event for each column with a time.
TIMES: dict[type[Row], dict[str, EventKind]] = {
    models.Inspection: {
        "dispatched_at": EventKind.INSPECTION_DISPATCHED,
        "acknowledged_at": EventKind.INSPECTION_ACKNOWLEDGED,
        "departed_at": EventKind.INSPECTION_DEPARTED,
        "arrived_at": EventKind.INSPECTION_ARRIVED,
        "submitted_at": EventKind.INSPECTION_SUBMITTED,
        "closed_at": EventKind.INSPECTION_CLOSED,
    },
    models.Hazard: {
        "rectified_at": EventKind.HAZARD_RECTIFICATION_SUBMITTED,
        "accepted_at": EventKind.HAZARD_ACCEPTED,
        "closed_at": EventKind.HAZARD_CLOSED,
    },
    models.Case: {
        "filed_at": EventKind.CASE_FILED,
        "decided_at": EventKind.CASE_DECIDED,
        "closed_at": EventKind.CASE_CLOSED,
    },
    models.Dispatch: {
        "requested_at": EventKind.DISPATCH_REQUESTED,
        "arrived_at": EventKind.DISPATCH_ARRIVED,
        "completed_at": EventKind.DISPATCH_COMPLETED,
    },
    models.DutyReport: {"at": EventKind.DUTY_REPORT_SUBMITTED},
    models.AssistanceRequest: {
        "requested_at": EventKind.ASSISTANCE_REQUESTED,
        "resolved_at": EventKind.ASSISTANCE_RESOLVED,
    },
    models.ControlMeasure: {"lifted_at": EventKind.CONTROL_MEASURE_LIFTED},
    models.Warning: {"lifted_at": EventKind.WARNING_LIFTED},
}


@pytest.fixture(scope="module")
def log_events(made: Rows) -> list[dict[str, Any]]:
    """The log without the events of the register."""
    return [event for event in made[models.Event] if event["kind"] is not EventKind.REGISTER_IMPORTED]


def about(log_events: list[dict[str, Any]]) -> dict[tuple[Subject, int], list[dict[str, Any]]]:
    """The events of each row, in the order of the log."""
    by_row = defaultdict(list)
    for event in log_events:
        by_row[event["subject"], event["subject_id"]].append(event)
    return by_row


# The order


def test_the_log_is_the_last_month_in_the_order_of_time(made: Rows) -> None:
    all_events = made[models.Event]
    assert [event["id"] for event in all_events] == list(range(1, len(all_events) + 1))
    times = [event["at"] for event in all_events]
    assert times == sorted(times)
    assert times[0] >= FROM
    assert times[-1] <= MIDNIGHT


def test_the_register_comes_first(made: Rows) -> None:
    [first, *others] = made[models.Event]
    rows = sum(len(of) for table, of in made.items() if table is not models.Event)
    assert (first["kind"], first["rows"], first["source"], first["at"]) == (
        EventKind.REGISTER_IMPORTED,
        rows,
        "demo",
        FROM,
    )
    assert EventKind.REGISTER_IMPORTED not in {event["kind"] for event in others}


def test_each_batch_has_its_own_event_of_the_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeding, "BATCH", 70)
    all_batches = list(batches(NUMBER, TODAY))
    heads = [batch[models.Event][0] for batch in all_batches]
    assert [head["id"] for head in heads] == [1, 2, 3]
    assert [head["rows"] for head in heads] == [
        sum(len(rows) for table, rows in batch.items() if table is not models.Event) for batch in all_batches
    ]
    assert [len(batch[models.Event]) for batch in all_batches][:2] == [1, 1]


def test_a_demo_of_many_enterprises_has_only_events_of_the_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ENTERPRISES_AT_MOST", 19)
    kinds = [event["kind"] for event in make(20)[models.Event]]
    assert kinds == [EventKind.REGISTER_IMPORTED]
    assert len(make(19)[models.Event]) > 1


def test_most_kinds_of_events_occur(log_events: list[dict[str, Any]]) -> None:
    kinds = {event["kind"] for event in log_events}
    # A month of two hundred enterprises need not have a hearing or a typhoon.
    assert {kind for kind in EventKind if kind.name.startswith(("HAZARD", "INSPECTION"))} - kinds <= {
        EventKind.HAZARD_AMENDED,
        EventKind.HAZARD_EXTENSION_LAPSED,
        EventKind.HAZARD_REOPENED,
        EventKind.INSPECTION_RETURNED,
    }
    assert {EventKind.DUTY_REPORT_SUBMITTED, EventKind.ASSISTANCE_REOPENED, EventKind.DISPATCH_COMPLETED} <= kinds
    assert {EventKind.WARNING_ISSUED, EventKind.WARNING_RAISED, EventKind.CASE_PROPOSED} <= kinds


# Agreement with the rows


def test_the_last_event_of_a_row_leads_to_its_status(made: Rows, log_events: list[dict[str, Any]]) -> None:
    rows = {subject: by_id(made[SUBJECTS[subject]]) for subject in WITH_STATUS}
    checked = Counter[Subject]()
    for (subject, key), events_of_row in about(log_events).items():
        if subject in WITH_STATUS:
            assert events_of_row[-1]["to_status"] == rows[subject][key]["status"].name, events_of_row
            for before, after in pairwise(events_of_row):
                assert after["from_status"] == before["to_status"], events_of_row
            checked[subject] += 1
    assert set(checked) == WITH_STATUS


def test_each_step_is_legal_and_has_an_allowed_actor(log_events: list[dict[str, Any]]) -> None:
    legal = {
        (line.kind, source and source.name, line.to.name): {who.role for who in line.who} | {Role.COMMANDER}
        for cycle in LIFECYCLES.values()
        for line in cycle
        for source in line.sources or (None,)
    }
    # An inspection for a request for help begins as dispatched.
    legal[EventKind.INSPECTION_DISPATCHED, None, "DISPATCHED"] = {Role.COMMANDER}
    for event in log_events:
        if event["subject"] in WITH_STATUS and event["kind"] not in EXTENSIONS:
            step = event["kind"], event["from_status"], event["to_status"]
            assert event["actor_role"] in legal[step], step


def test_a_row_created_within_the_month_has_all_its_events(made: Rows, log_events: list[dict[str, Any]]) -> None:
    by_row = about(log_events)
    begun = {Subject.HAZARD: "found_at", Subject.ASSISTANCE: "requested_at", Subject.DISPATCH: "requested_at"}
    for subject, column in begun.items():
        for row in made[SUBJECTS[subject]]:
            if row[column] >= FROM:
                first = by_row[subject, row["id"]][0]
                assert (first["from_status"], first["at"]) == (None, row[column])
    for row in made[models.DutyReport]:
        assert len(by_row[Subject.DUTY_REPORT, row["id"]]) == (row["at"] >= FROM)
    for row in made[models.Warning]:
        kinds = [event["kind"] for event in by_row[Subject.WARNING, row["id"]]]
        raised = EventKind.WARNING_RAISED if row["automatic"] else EventKind.WARNING_ISSUED
        assert kinds[:1] == [raised] * (row["issued_at"] >= FROM)


def test_every_time_of_a_row_has_its_event(made: Rows, log_events: list[dict[str, Any]]) -> None:
    at = {(event["kind"], event["subject_id"], event["at"]) for event in log_events}
    for table, columns in TIMES.items():
        for row in made[table]:
            for column, kind in columns.items():
                if (time := row.get(column)) is not None and time >= FROM:
                    assert (kind, row["id"], time) in at, (kind, row)


def test_extensions_have_their_events(made: Rows, log_events: list[dict[str, Any]]) -> None:
    expected = Counter[tuple[EventKind, int, dt.datetime]]()
    for row in made[models.DeadlineExtension]:
        expected[EventKind.HAZARD_EXTENSION_REQUESTED, row["hazard_id"], row["requested_at"]] += 1
        if row["decided_at"]:
            expected[EventKind.HAZARD_EXTENSION_DECIDED, row["hazard_id"], row["decided_at"]] += 1
    counts = Counter((e["kind"], e["subject_id"], e["at"]) for e in log_events if e["kind"] in EXTENSIONS)
    assert counts == {key: number for key, number in expected.items() if key[2] >= FROM}
    assert counts


def test_events_have_the_places_of_their_rows(made: Rows, log_events: list[dict[str, Any]]) -> None:
    enterprises, venues = by_id(made[models.Enterprise]), by_id(made[models.Venue])
    venue_of = {ring["id"]: ring["venue_id"] for ring in made[models.ControlRing]}
    rings = defaultdict(set)
    for row in made[models.EnterpriseRing]:
        rings[row["enterprise_id"]].add(row["ring_id"])
    rows = {subject: by_id(made[table]) for subject, table in SUBJECTS.items()}
    somewhere = Counter[str]()
    for event in log_events:
        row = rows[event["subject"]][event["subject_id"]]
        key, venue = row.get("enterprise_id"), row.get("venue_id")
        assert event["enterprise_id"] == key
        if key is not None:
            enterprise = enterprises[key]
            expected = (enterprise["zone_id"], rings[key], enterprise["risk_grade"])
            somewhere["enterprise"] += 1
        elif venue is not None:
            expected = (venues[venue]["zone_id"], {ring for ring, of in venue_of.items() if of == venue}, None)
            somewhere["venue"] += 1
        else:
            expected = (row.get("zone_id"), set(), None)
            somewhere["zone"] += 1
        assert (event["zone_id"], event["rings"], event["risk"]) == expected
        assert event["zones"] == ({event["zone_id"]} if event["zone_id"] else set())
        assert event["venues"] == {venue_of[ring] for ring in event["rings"]}
    assert set(somewhere) == {"enterprise", "venue", "zone"}


def test_events_about_a_major_hazard_are_major(made: Rows, log_events: list[dict[str, Any]]) -> None:
    hazards = by_id(made[models.Hazard])
    cases = by_id(made[models.Case])
    of_inspection = {h["inspection_id"] for h in hazards.values() if h["level"] is HazardLevel.MAJOR}
    known = {EventKind.INSPECTION_SUBMITTED, EventKind.INSPECTION_REVIEWED, EventKind.INSPECTION_CLOSED}
    for event in log_events:
        key = event["subject_id"]
        major = {
            Subject.HAZARD: event["subject"] is Subject.HAZARD and hazards[key]["level"] is HazardLevel.MAJOR,
            Subject.CASE: event["subject"] is Subject.CASE and cases[key]["inspection_id"] in of_inspection,
            Subject.INSPECTION: event["kind"] in known and key in of_inspection,
        }
        assert event["major"] == major.get(event["subject"], False), event
    assert {event["subject"] for event in log_events if event["major"]} >= {Subject.HAZARD, Subject.INSPECTION}


def test_actors_are_the_people_of_the_demo(made: Rows, log_events: list[dict[str, Any]]) -> None:
    enterprises, inspectors = by_id(made[models.Enterprise]), by_id(made[models.Inspector])
    crews = defaultdict(set)
    for row in made[models.InspectionInspector]:
        crews[row["inspection_id"]].add(inspectors[row["inspector_id"]]["full_name"])
    rows = {subject: by_id(made[table]) for subject, table in SUBJECTS.items()}
    for event in log_events:
        row, role = rows[event["subject"]][event["subject_id"]], event["actor_role"]
        if role is None:
            assert row["automatic"]
            assert event["actor_name"] is None
        elif role is Role.ENTERPRISE:
            assert event["actor_name"] == enterprises[event["enterprise_id"]]["safety_name"]
        elif role is Role.INSPECTOR:
            visit = row["id"] if event["subject"] is Subject.INSPECTION else row.get("inspection_id")
            assert event["subject"] is Subject.ASSISTANCE or event["actor_name"] in crews[visit]
        else:
            assert role is Role.COMMANDER
            assert event["actor_name"]
    assert {event["actor_role"] for event in log_events} == {Role.COMMANDER, Role.INSPECTOR, Role.ENTERPRISE, None}


def test_cases_are_proposed_when_their_inspection_is_submitted(made: Rows, log_events: list[dict[str, Any]]) -> None:
    inspections, by_row = by_id(made[models.Inspection]), about(log_events)
    for case in made[models.Case]:
        submitted = inspections[case["inspection_id"]]["submitted_at"]
        if submitted >= FROM:
            first = by_row[Subject.CASE, case["id"]][0]
            assert (first["to_status"], first["at"]) == (CaseStatus.PROPOSED.name, submitted)


# In the database


async def test_the_log_continues_after_the_demo(own_demo: Database) -> None:
    async with own_demo.read() as connection:
        before = await event_log.state(connection)
        last = (await event_log.after(connection, before.head - 1, 10))[0]
    assert last.kind is not EventKind.REGISTER_IMPORTED
    assert await append_events(own_demo, NEXT) == [before.head + 1]


async def test_a_writer_waits_for_the_commit_of_a_batch(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a later number could be committed first, and its readers would miss the batch."""
    others: list[asyncio.Task[list[int]]] = []
    follow = Writer.follow

    async def followed(self: Writer, connection: AsyncConnection, tables: Iterable[str]) -> None:
        await follow(self, connection, tables)
        others.append(asyncio.create_task(append_events(database, NEXT)))
        await wait_for_lock_waiter(database)
        assert not others[0].done()

    monkeypatch.setattr(Writer, "follow", followed)
    await seed(database, enterprises=3, today=TODAY)
    [[number]] = await asyncio.gather(*others)
    async with database.read() as connection:
        assert number == (await event_log.state(connection)).head > 1


async def test_an_interrupted_demo_has_the_events_of_its_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "BATCH", 7)

    class Interrupted(Exception):
        pass

    def interrupt(done: int, number: int) -> None:
        if done > 7:
            raise Interrupted

    with pytest.raises(Interrupted):
        await seed(database, enterprises=20, today=TODAY, progress=interrupt)
    async with database.read() as connection:
        logged = await event_log.after(connection, 0, 100)
    assert [(event.id, event.kind) for event in logged] == [
        (1, EventKind.REGISTER_IMPORTED),
        (2, EventKind.REGISTER_IMPORTED),
    ]


async def test_a_timeline_has_the_events_of_an_enterprise(demo: Database, ask: Ask) -> None:
    enterprise = event_log.EVENT.c.enterprise_id
    counted = sa.select(enterprise, sa.func.count().label("events")).where(enterprise.is_not(None)).group_by(enterprise)
    async with demo.read() as connection:
        busiest = (await connection.execute(counted.order_by(sa.desc("events")).limit(1))).one()
    answer = await ask(
        "query ($id: ID!) { node(id: $id) { ... on Enterprise"
        " { timeline(first: 1000) { nodes { kind from to at actor { role name } enterprise { id } } } } } }",
        id=node_id.encode("Enterprise", busiest.enterprise_id),
    )
    nodes = answer["node"]["timeline"]["nodes"]
    assert len(nodes) == busiest.events
    assert [n["at"] for n in nodes] == sorted((n["at"] for n in nodes), reverse=True)
