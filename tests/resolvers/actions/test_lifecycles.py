"""Every noun in every state, every mutation, every kind of viewer: accepted or refused as the table says."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

import models
from models import Role, Scope, Viewer
from models.db.database import Database
from schema.build import Graph
from schema.types import node_id
from tests.conftest import NOW
from tests.support.actors import (
    DAY,
    DUTY,
    WALL,
    Desk,
    World,
    change,
    contents,
    enterprise,
    insert,
    inspector,
    program,
    small_world,
)
from tests.support.district import unique_mark
from tests.support.lifecycle_table import OTHER_MUTATIONS, SUBJECTS, Line, legal, transitions_of, valid_inputs

MODELS: dict[str, Any] = {
    "hazard": models.Hazard,
    "inspection": models.Inspection,
    "case": models.Case,
    "dispatch": models.Dispatch,
    "assistance": models.AssistanceRequest,
}
STATES: dict[str, Any] = {
    "hazard": models.HazardStatus,
    "inspection": models.InspectionStatus,
    "case": models.CaseStatus,
    "dispatch": models.DispatchStatus,
    "assistance": models.AssistanceStatus,
}
RESERVING = {"ASSIGNED", "ACKNOWLEDGED", "EN_ROUTE", "ON_SCENE", "COMPLETED"}
SUBMITTED = {"SUBMITTED", "IN_REVIEW", "CLOSED"}


def people(world: World) -> dict[str, Viewer]:
    return {
        "commander": DUTY,
        "own inspector": world.officer,
        "other inspector": inspector(world.other_inspector),
        "own enterprise": world.own,
        "other enterprise": enterprise(world.other_enterprise),
        "wall": WALL,
        "program": program(),
        "program with all scopes": program(*Scope),
    }


def letter(viewer: Viewer) -> str:
    return {Role.COMMANDER: "C", Role.INSPECTOR: "I", Role.ENTERPRISE: "E"}.get(viewer.role, "-")


@dataclass
class Trial:
    """One attempt at a mutation: its own row in a state, the line of the table, and the viewer."""

    noun: str
    state: str
    line: Line
    who: str
    viewer: Viewer
    key: int = 0

    def expected(self) -> dict[str, Any]:
        if letter(self.viewer) not in self.line.who or self.who == "other inspector":
            return {"__typename": "Forbidden"}
        node = SUBJECTS[self.noun][1]
        if self.who == "other enterprise":
            return {"__typename": "NotFound", "missing": node_id.encode(node, self.key)}
        if self.state not in self.line.sources:
            wanted = self.line.to or self.line.sources[0]
            answer = {"currentStatus": self.state, "wanted": wanted, "legal": legal(self.noun, self.state)}
            return {"__typename": "IllegalTransition", **answer}
        status = self.line.to or self.state
        shown = {"id": node_id.encode(node, self.key), "status": status, "version": 2}
        return {SUBJECTS[self.noun][0]: shown}


def trials(noun: str, world: World) -> list[Trial]:
    return [
        Trial(noun, state.name, line, who, viewer)
        for state, line, (who, viewer) in itertools.product(STATES[noun], transitions_of(noun), people(world).items())
    ]


def row(trial: Trial, world: World, visit: int) -> dict[str, Any]:
    """Values of a row in the state, as if it had got there."""
    status = STATES[trial.noun][trial.state]
    common = {"status": status, "enterprise_id": world.enterprise}
    if trial.noun == "hazard":
        closed = NOW - DAY if trial.state == "CLOSED" else None
        return {
            **common, "inspection_id": visit, "level": models.HazardLevel.MAJOR, "description": "隐患",
            "found_at": NOW - 9 * DAY, "deadline": NOW + 9 * DAY, "closed_at": closed,
        }  # fmt: skip
    if trial.noun == "inspection":
        submitted = NOW - 5 * DAY if trial.state in SUBMITTED else None
        return {**common, "kind": models.InspectionKind.ROUTINE, "planned_for": NOW, "submitted_at": submitted}
    if trial.noun == "case":
        return {**common, "inspection_id": visit, "grounds": "违法"}
    if trial.noun == "assistance":
        return {**common, "problem": "排水", "requested_at": NOW - DAY}
    chosen = trial.state != "REQUESTED"
    return {
        **common, "purpose": "抢险", "latitude": 30.1, "longitude": 120.1, "requested_at": NOW - DAY,
        "stock_item_id": world.stock_item if chosen else None, "quantity": 2 if chosen else None,
        "drawn": 1 if trial.state in ("COMPLETED", "RELEASED") else None,
    }  # fmt: skip


async def prepare(database: Database, noun: str, world: World) -> list[Trial]:
    """Insert a row for each trial, and the rows that it needs."""
    [visit] = await insert(database, models.Inspection, {
        "enterprise_id": world.enterprise, "kind": models.InspectionKind.ROUTINE, "submitted_at": NOW - 9 * DAY,
        "status": models.InspectionStatus.SUBMITTED,
    })  # fmt: skip
    todo = trials(noun, world)
    for trial, key in zip(
        todo, await insert(database, MODELS[noun], *(row(t, world, visit) for t in todo)), strict=True
    ):
        trial.key = key
    visits = [visit, *(await insert_related(database, noun, world, todo))]
    await insert(
        database, models.InspectionInspector, *({"inspection_id": v, "inspector_id": world.inspector} for v in visits)
    )
    return todo


async def insert_related(database: Database, noun: str, world: World, todo: list[Trial]) -> list[int]:
    """Insert the rows that the trials need. Returns the inspections of the officer."""
    if noun == "hazard":
        keys = [t.key for t in todo if t.line.mutation == "hazardDecideExtension"]
        await insert(database, models.DeadlineExtension, *(extension(key) for key in keys))
        count = sum(t.state not in ("CLOSED", "DISMISSED") for t in todo)
        statement = sa.update(models.Enterprise).where(col(models.Enterprise.id) == world.enterprise)
        await change(database, statement.values(open_hazards=count))
    elif noun == "inspection":
        return [t.key for t in todo]
    elif noun == "assistance":
        served = {"enterprise_id": world.enterprise, "kind": models.InspectionKind.ASSISTANCE}
        served["status"] = models.InspectionStatus.ON_SITE
        return await insert(database, models.Inspection, *({**served, "assistance_request_id": t.key} for t in todo))
    elif noun == "dispatch":
        held = sum(1 if t.state == "COMPLETED" else 2 for t in todo if t.state in RESERVING)
        item = sa.update(models.StockItem).where(col(models.StockItem.id) == world.stock_item)
        await change(database, item.values(quantity=10_000, reserved=held))
    return []


def extension(hazard: int) -> dict[str, Any]:
    return {
        "hazard_id": hazard, "from_deadline": NOW + 9 * DAY, "to_deadline": NOW + 19 * DAY, "reason": "缺配件",
        "status": models.ExtensionStatus.REQUESTED, "requested_at": NOW - DAY,
    }  # fmt: skip


@pytest.mark.exhaustive
@pytest.mark.parametrize("noun", SUBJECTS)
async def test_every_transition_from_every_state_by_every_viewer(
    graph: Graph, shared_database: Database, noun: str
) -> None:
    world = await small_world(shared_database, unique_mark())
    desk, inputs = Desk(graph, shared_database), valid_inputs(world)
    todo = await prepare(shared_database, noun, world)
    argument, node = SUBJECTS[noun]
    wrong, done = [], set()
    for trial in todo:
        line = trial.line
        arguments = {argument: node_id.encode(node, trial.key), **inputs.get(line.mutation, {}), **line.extra}
        answer = await desk.act(trial.viewer, line.mutation, **arguments)
        expected = trial.expected()
        if argument in expected:
            done.add(trial.key)
        if {name: answer.get(name) for name in expected} != expected:
            wrong.append((trial, answer, expected))
    assert wrong == []
    assert len(done) >= sum(len(line.sources) for line in transitions_of(noun))
    rows = (await contents(shared_database, MODELS[noun]))[MODELS[noun].__tablename__]
    for trial in todo:
        moved = trial.key in done
        assert (rows[trial.key].version, rows[trial.key].status.name) == (
            (2, trial.line.to or trial.state) if moved else (1, trial.state)
        )
    await assert_totals(shared_database)


async def assert_totals(database: Database) -> None:
    """Derived counts equal what counting the rows gives."""
    answer = await contents(database, models.Enterprise, models.Hazard, models.Dispatch, models.StockItem)
    open_hazards = [h.enterprise_id for h in answer["hazard"].values() if h.status not in models.HAZARD_TERMINAL]
    for key, row in answer["enterprise"].items():
        if open_hazards.count(key) or row.open_hazards:
            assert row.open_hazards == open_hazards.count(key)
    for key, item in answer["stock_item"].items():
        held = [d for d in answer["dispatch"].values() if d.stock_item_id == key and d.status.name in RESERVING]
        assert item.reserved == sum(d.quantity - (d.drawn or 0) for d in held)


# -- what begins a life cycle, or has none --


def other_mutations() -> Iterator[tuple[str, frozenset[str], Scope | None]]:
    for line in OTHER_MUTATIONS.strip().splitlines():
        mutation, who, scope = (part.strip() for part in line.split("|"))
        yield mutation, frozenset({*who.split(), "C"}), Scope(scope) if scope else None


# Enterprises may do these only for themselves, and inspectors only for themselves or on their own inspections.
THEIRS = {"hazardReport", "dutyReportSubmit", "assistanceRequest", "controlMeasureAdd", "controlMeasureLift"}
SELF = {"inspectorSetDuty", "inspectorReportPosition", "casePropose"}


@pytest.mark.exhaustive
async def test_every_mutation_outside_a_transition_by_every_viewer(graph: Graph, shared_database: Database) -> None:
    world = await small_world(shared_database, unique_mark())
    desk, inputs = Desk(graph, shared_database), valid_inputs(world)
    wrong = []
    for mutation, who, scope in other_mutations():
        everybody = people(world) | {f"program with {s.value}": program(s) for s in Scope}
        for name, viewer in everybody.items():
            allowed = letter(viewer) in who or (viewer.role is Role.INTEGRATOR and scope in viewer.visibility.scopes)
            expected = "success" if allowed else "Forbidden"
            if name == "other enterprise" and allowed and mutation in THEIRS:
                expected = "NotFound"
            if name == "other inspector" and mutation in SELF:
                expected = "Forbidden"
            more = await fresh_subject(shared_database, mutation, world)
            answer = (await desk.act(viewer, mutation, **inputs[mutation], **more))["__typename"]
            if answer != expected and not (
                expected == "success" and answer not in ("Forbidden", "NotFound", "InvalidInput")
            ):
                wrong.append((mutation, name, answer, expected))
    assert wrong == []


async def fresh_subject(database: Database, mutation: str, world: World) -> dict[str, str]:
    """Insert a row for the mutation, where an earlier attempt may have used up the world's own."""
    common = {"enterprise_id": world.enterprise}
    if mutation == "controlMeasureLift":
        measure = {**common, "kind": models.MeasureKind.PPE, "description": "手套", "since": NOW.date()}
        [key] = await insert(database, models.ControlMeasure, measure)
        return {"controlMeasure": node_id.encode("ControlMeasure", key)}
    if mutation == "warningLift":
        warning = {
            "kind": models.WarningKind.HEAT,
            "level": models.WarningLevel.BLUE,
            "headline": "高温",
            "issued_at": NOW,
        }
        return {"warning": node_id.encode("Warning", (await insert(database, models.Warning, warning))[0])}
    if mutation == "handoverTake":
        handover = {"leaving": f"officer{unique_mark()}", "note": "一切正常", "signed_at": NOW}
        return {"handover": node_id.encode("Handover", (await insert(database, models.Handover, handover))[0])}
    if mutation == "casePropose":
        return {"inspection": await visit_of(database, world, "SUBMITTED")}
    return {}


async def visit_of(database: Database, world: World, state: str) -> str:
    """An inspection by the officer, in this state."""
    status = models.InspectionStatus[state]
    visit = {"enterprise_id": world.enterprise, "kind": models.InspectionKind.ROUTINE, "status": status}
    [key] = await insert(database, models.Inspection, {**visit, "submitted_at": NOW if state in SUBMITTED else None})
    await insert(database, models.InspectionInspector, {"inspection_id": key, "inspector_id": world.inspector})
    return node_id.encode("Inspection", key)


async def test_a_case_needs_a_submitted_inspection(graph: Graph, shared_database: Database) -> None:
    world = await small_world(shared_database, unique_mark())
    desk = Desk(graph, shared_database)
    for state in STATES["inspection"]:
        visit = await visit_of(shared_database, world, state.name)
        answer = await desk.act(world.officer, "casePropose", inspection=visit, grounds="违法")
        blamed = answer.get("field")
        assert (answer["__typename"], blamed) == (
            ("CaseProposed", None) if state.name in SUBMITTED else ("InvalidInput", "inspection")
        ), state
