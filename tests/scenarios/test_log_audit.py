"""The log records for every mutation who did what, which values changed, and where that was at the time."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

import models
from models import EventKind, RiskGrade, Scope
from models.db.database import Database
from models.db.tables import table_of
from resolvers.actions.context import ActionContext, ActionRequest
from resolvers.actions.runner import run_action
from schema.build import Graph
from schema.types import node_id
from tests.conftest import NOW, SHANGHAI
from tests.support import audit_table, lifecycle_table
from tests.support.actors import DAY, DUTY, WALL, at, change, contents, log_after, program, row_of
from tests.support.audit_table import ARGUMENTS, AuditStep, ExpectedEvent
from tests.support.district import Office, open_office


async def head(office: Office) -> int:
    """The number of the last event; 0 in an empty log."""
    return max([event.id for event in await log_after(office.database)], default=0)


# -- every mutation --

NEXT = replace(DUTY, subject="next", name="接班长")


class Clerk:
    """Carries out the steps of the table and checks the events of each."""

    def __init__(self, office: Office) -> None:
        self.office = office
        world = office.world
        self.viewers = {"C": DUTY, "I": world.officer, "E": world.own, "N": NEXT}
        self.ids = {"enterprise": office.enterprise, "venue": world.id("venue"), "stockItem": str(world.stock_item)}

    def with_ids(self, value: Any) -> Any:
        """The value with its placeholders replaced by ids."""
        if isinstance(value, dict):
            return {name: self.with_ids(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.with_ids(inner) for inner in value]
        return self.ids[value[1:]] if isinstance(value, str) and value.startswith("@") else value

    def input(self, step: AuditStep) -> dict[str, Any]:
        arguments = dict(lifecycle_table.valid_inputs(self.office.world).get(step.mutation, {}))
        for word in step.arguments:
            name, _, value = word.partition("=")
            arguments |= self.with_ids(ARGUMENTS[word[1:]]) if word.startswith("+") else {name: self.with_ids(value)}
        if "millimetres" in arguments:
            arguments["millimetres"] = float(arguments["millimetres"])
        return arguments

    async def carry_out(self, step: AuditStep) -> list[Any]:
        """Carry out one step; the events that it appended."""
        before = await head(self.office)
        success = await self.office.done(self.viewers[step.role], step.mutation, **self.input(step))
        for name, rows in success.items():
            row = rows[0] if isinstance(rows, list) and rows else rows
            if isinstance(row, dict):
                self.ids[name] = row["id"]
        return await log_after(self.office.database, before)

    def place(self, expected: ExpectedEvent) -> dict[str, Any]:
        """Where an event must be recorded."""
        world = self.office.world
        zone = {
            "enterprise_id": None,
            "zone_id": world.zone,
            "zones": {world.zone},
            "rings": 0,
            "venues": set(),
            "risk": None,
        }
        if "nowhere" in expected.flags:
            key = node_id.key_of(self.ids["enterprise"], "Enterprise")
            return {**zone, "enterprise_id": key, "zone_id": None, "zones": set()}
        if "placeless" in expected.flags:
            return {**zone, "zone_id": None, "zones": set()}
        if "zone" in expected.flags:
            return zone
        inside = {**zone, "rings": 3, "venues": {world.venue}}
        if "venue" in expected.flags:
            return inside
        risk = RiskGrade.RED if "red" in expected.flags else RiskGrade.YELLOW
        return {**inside, "enterprise_id": world.enterprise, "risk": risk}

    def check(self, step: AuditStep, expected: ExpectedEvent, event: Any) -> None:
        changes = frozenset((c["field"], c["from"], c["to"]) for c in event.changes)
        expected_changes = frozenset((name, before, self.with_ids(after)) for name, before, after in expected.changes)
        assert (event.kind.name, event.from_status, event.to_status, changes) == (
            expected.kind,
            expected.before,
            expected.after,
            expected_changes,
        ), step
        viewer = self.viewers[step.role]
        actor = (None, None) if "nobody" in expected.flags else (viewer.role, viewer.name)
        assert (event.actor_role, event.actor_name) == actor, step
        assert (event.at, event.subject, event.major) == (NOW, event.kind.subject, "major" in expected.flags), step
        place = {name: getattr(event, name) for name in ("enterprise_id", "zone_id", "zones", "venues", "risk")}
        assert {**place, "rings": len(event.rings)} == self.place(expected), step


async def test_every_mutation_appends_its_events(office: Office) -> None:
    clerk, seen = Clerk(office), set()
    for step in audit_table.audit_steps():
        events = await clerk.carry_out(step)
        assert [event.kind.name for event in events] == [expected.kind for expected in step.events], step
        for expected, event in zip(step.events, events, strict=True):
            clerk.check(step, expected, event)
            seen.add(event.kind)
    of_many_rows = {"enterprisesUpsert", "positionsReport", "readingsReport"}  # tested with their actions
    assert {step.mutation for step in audit_table.audit_steps()} == lifecycle_table.MUTATIONS - of_many_rows
    of_imports = {EventKind.REGISTER_IMPORTED, EventKind.ENTERPRISE_RETIRED, EventKind.ENTERPRISE_RESTORED}
    assert seen == set(EventKind) - of_imports  # test_batch.py has the restoring mutation


# -- where it was --


async def test_a_move_records_the_old_and_the_new_place(graph: Graph, database: Database) -> None:
    office = await open_office(graph, database)
    world = office.world
    before = await head(office)
    key = f"e0{world.mark}"
    await office.done(DUTY, "enterpriseUpsert", externalId=key, location={"latitude": 30.2, "longitude": 120.3})
    await office.done(DUTY, "enterpriseUpsert", externalId=key, location=None)
    moved, cleared = await log_after(office.database, before)
    rings = (await contents(office.database, models.ControlRing))["control_ring"]
    own_rings = {ring for ring, row in rings.items() if row.venue_id == world.venue}
    assert (moved.zone_id, moved.zones, moved.rings & own_rings, moved.venues) == (
        world.other_zone, {world.zone, world.other_zone}, own_rings, {world.venue},
    )  # fmt: skip
    assert (cleared.zone_id, cleared.zones) == (None, {world.other_zone})
    assert not cleared.rings & own_rings


async def test_an_enterprise_that_drops_out_of_a_shrunken_ring_has_an_event(graph: Graph, database: Database) -> None:
    office = await open_office(graph, database)
    ring: Any = table_of(models.ControlRing)
    rings = sorted((await contents(database, models.ControlRing))["control_ring"])
    # An import that is stopped before it has moved the enterprises leaves this state.
    await change(database, sa.update(ring).where(ring.c.id == rings[0]).values(radius_metres=1))
    office.later(DAY)
    before = await head(office)
    query = "query($id: ID!) { enterprise(by: {id: $id}) { updatedAt version rings { id } } }"
    stays: Any = {"externalId": f"e0{office.world.mark}", "location": {"latitude": 30.101, "longitude": 120.101}}
    for _ in range(2):
        await office.done(DUTY, "enterpriseUpsert", **stays)
        [event] = await log_after(database, before)
        assert (event.kind, event.rings) == (EventKind.ENTERPRISE_CHANGED, set(rings))
        remaining = [{"id": node_id.encode("ControlRing", key)} for key in rings[1:]]
        assert (await office.ask(query, id=office.enterprise))["enterprise"] == {
            "updatedAt": at(office.now), "version": 2, "rings": remaining,
        }  # fmt: skip


@pytest.mark.parametrize(("first", "second"), [("BLUE", "RED"), ("RED", "BLUE")])
async def test_a_change_of_grade_records_the_higher_risk(office: Office, first: str, second: str) -> None:
    for grade in (first, second):
        await office.done(DUTY, "enterpriseGrade", enterprise=office.enterprise, riskGrade=grade)
    [*_, event] = await log_after(office.database)
    assert event.risk is RiskGrade.RED
    assert [(c["from"], c["to"]) for c in event.changes] == [(first, second)]


async def test_an_event_keeps_the_risk_that_the_enterprise_had_at_the_time(office: Office) -> None:
    hazard = await office.hazard()
    before = (await log_after(office.database))[-1]
    await office.done(DUTY, "enterpriseGrade", enterprise=office.enterprise, riskGrade="RED")
    await office.done(DUTY, "hazardDismiss", hazard=hazard, reason="误报")
    events = await log_after(office.database, before.id - 1)
    assert [event.risk.name for event in events] == ["YELLOW", "RED", "RED"]


async def test_updated_at_changes_only_with_the_enterprise_itself(office: Office) -> None:
    office.later(DAY)
    query = "query($id: ID!) { enterprise(by: {id: $id}) { updatedAt version } }"
    await office.done(DUTY, "hazardReport", enterprise=office.enterprise, level="GENERAL", description="隐患")
    assert (await office.ask(query, id=office.enterprise))["enterprise"] == {"updatedAt": at(NOW - DAY), "version": 1}
    await office.done(DUTY, "enterpriseUpsert", externalId=f"e0{office.world.mark}", industry="化工")
    assert (await office.ask(query, id=office.enterprise))["enterprise"] == {"updatedAt": at(office.now), "version": 2}
    new = await office.done(
        DUTY, "enterpriseUpsert", "enterprise { updatedAt }", externalId=f"n{office.world.mark}", name="新"
    )
    assert new["enterprise"]["updatedAt"] == at(office.now)


# -- who may read an event --


async def test_personal_changes_are_hidden_from_viewers_without_the_right(office: Office) -> None:
    await office.done(
        DUTY, "enterpriseUpsert", externalId=f"e0{office.world.mark}", industry="化工",
        legalRepresentative={"name": "新人", "phone": "2"},
    )  # fmt: skip
    query = """query($id: ID!) { enterprise(by: {id: $id}) {
        timeline(first: 1) { nodes { actor { role name } changes { field from to } } } } }"""
    personal = {"legalName", "legalPhone"}
    for viewer, sees_names in (
        (DUTY, True), (office.world.officer, True), (office.world.own, True),
        (WALL, False), (program(Scope.READ), False), (program(Scope.READ, Scope.PERSONAL), True),
    ):  # fmt: skip
        [event] = (await office.ask(query, viewer, id=office.enterprise))["enterprise"]["timeline"]["nodes"]
        fields = {change["field"] for change in event["changes"]}
        assert fields == ({"industry"} | personal if sees_names else {"industry"})
        assert event["actor"] == {"role": "COMMANDER", "name": "值班长" if sees_names else None}


# -- no change without an event --


async def run(office: Office, body: Any) -> None:
    request = ActionRequest("teamSetStandby", {})

    def notify() -> None:
        raise AssertionError("no notification is due")

    await run_action(office.database, DUTY, NOW, SHANGHAI, request, body, notify)


async def test_an_action_that_records_no_event_is_rolled_back(office: Office) -> None:
    world = office.world

    async def changes(context: ActionContext) -> Any:
        (await context.get(models.Team, world.team)).strength = 1
        return {}

    async def adds(context: ActionContext) -> Any:
        return {"team": await context.add(models.Team(name="新队", kind=models.TeamKind.FIRE, strength=1))}

    async def removes(context: ActionContext) -> Any:
        await context.session.delete(await context.get(models.Team, world.team))
        return {}

    async def records_another_row(context: ActionContext) -> Any:
        (await context.get(models.Team, world.team)).strength = 1
        context.record(EventKind.EXPERT_STANDBY_SET, await context.get(models.Expert, world.expert))
        return {}

    async def links(context: ActionContext) -> Any:
        context.session.add(models.EnterpriseRing(ring_id=1, enterprise_id=world.other_enterprise))
        return {}

    before = await contents(office.database)
    bodies = {changes: "Team", adds: "Team", removes: "Team", records_another_row: "Team", links: "EnterpriseRing"}
    for body, written in bodies.items():
        with pytest.raises(RuntimeError, match=f"written without an event: {written}"):
            await run(office, body)
    assert await contents(office.database) == before


async def test_a_position_is_overwritten_without_an_event(office: Office) -> None:
    before = await head(office)
    notifications = office.notifications
    for minute, place in ((0, (30.2, 120.2)), (5, (30.3, 120.3)), (3, (30.4, 120.4))):
        some: dict[str, Any] = {
            "position": {"latitude": place[0], "longitude": place[1]},
            "at": f"2026-06-15T03:{50 + minute}:00Z",
        }
        await office.done(
            office.world.officer, "inspectorReportPosition", inspector=office.world.id("inspector"), **some
        )
    row = await row_of(office.database, models.Inspector, office.world.inspector)
    # The latest measurement counts, in whatever order they arrive.
    assert (row.latitude, row.longitude) == (30.3, 120.3)
    assert (await head(office), office.notifications) == (before, notifications)


async def test_actions_with_events_notify_once_and_failures_do_not(office: Office) -> None:
    await office.done(DUTY, "hazardReport", enterprise=office.enterprise, level="GENERAL", description="隐患")
    assert office.notifications == 1
    await office.refused(WALL, "hazardReport", enterprise=office.enterprise, level="GENERAL", description="隐患")
    await office.done(DUTY, "rainfallReport", zone=office.world.id("zone"), millimetres=1.0)
    assert office.notifications == 1


async def test_an_action_on_an_enterprise_does_not_block_the_events_of_others(office: Office) -> None:
    """On PostgreSQL an event references its enterprise by a foreign key, which would wait for a plain FOR UPDATE."""
    if office.database.sqlite:
        pytest.skip("SQLite has one writer at a time")
    hazard = await office.hazard()
    async with office.database.write() as session:
        context = ActionContext(session, DUTY, NOW, SHANGHAI, ActionRequest("enterpriseGrade", {}))
        await context.get(models.Enterprise, office.world.enterprise)
        other = Database(office.database.url.set(drivername="postgresql").render_as_string(hide_password=False))
        async with other.write() as waiting:
            await waiting.execute(sa.text("SET LOCAL lock_timeout = '2s'"))
            event = {"at": NOW, "kind": EventKind.HAZARD_CLOSED, "subject": models.Subject.HAZARD, "changes": []}
            event |= {"subject_id": node_id.key_of(hazard, "Hazard"), "enterprise_id": office.world.enterprise}
            more = {"zones": frozenset(), "rings": frozenset(), "venues": frozenset(), "major": False}
            await waiting.execute(sa.insert(models.Event).values({**event, **more}))
        await other.close()
