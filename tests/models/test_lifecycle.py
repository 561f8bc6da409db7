"""The tables of life cycles: the page generated from them, their mutations, and their events."""

import re
from pathlib import Path

import pytest

from models import EventKind, Role, Scope, Viewer, Visibility, lifecycle
from models.lifecycle import ACTIONS, LIFECYCLES, PERMITTED, Transition
from models.lifecycle_page import page
from schema.build import Graph
from tests.support import lifecycle_table

ROOT = Path(__file__).parent.parent.parent
# Kinds of events that are no step of a life cycle, each with a mutation that appends it.
OTHER_EVENTS = {
    "HAZARD_AMENDED": "inspectionSubmit",
    "HAZARD_EXTENSION_REQUESTED": "hazardRequestExtension",
    "HAZARD_EXTENSION_DECIDED": "hazardDecideExtension",
    "HAZARD_EXTENSION_LAPSED": "hazardAccept",
    "DUTY_REPORT_SUBMITTED": "dutyReportSubmit",
    "ENTERPRISE_REGISTERED": "enterpriseUpsert",
    "ENTERPRISE_CHANGED": "enterpriseUpsert",
    "ENTERPRISE_RESTORED": "enterpriseUpsert",
    "ENTERPRISE_GRADED": "enterpriseGrade",
    "CONTROL_MEASURE_ADDED": "controlMeasureAdd",
    "CONTROL_MEASURE_LIFTED": "controlMeasureLift",
    "INSPECTOR_DUTY_SET": "inspectorSetDuty",
    "TEAM_STANDBY_SET": "teamSetStandby",
    "EXPERT_STANDBY_SET": "expertSetStandby",
    "STOCK_RECEIVED": "stockReceive",
    "STOCK_RESERVED": "dispatchAssign",
    "STOCK_FREED": "dispatchRelease",
    "STOCK_DRAWN": "dispatchComplete",
    "WARNING_ISSUED": "warningIssue",
    "WARNING_RAISED": "rainfallReport",
    "WARNING_LIFTED": "warningLift",
    "HANDOVER_SIGNED": "handoverSign",
    "HANDOVER_TAKEN": "handoverTake",
}
# No mutation appends these.
WITHOUT_MUTATION = {"REGISTER_IMPORTED", "ENTERPRISE_RETIRED"}


def transitions() -> list[Transition]:
    return [line for cycle in LIFECYCLES.values() for line in cycle]


def test_the_generated_page_is_current() -> None:
    assert (ROOT / "docs" / "reference" / "lifecycles.md").read_text() == page()


def test_the_page_has_every_transition_and_action() -> None:
    text = page()
    assert len(re.findall(r"^\| (?!From|Mutation|---)", text, re.MULTILINE)) == len(transitions()) + len(ACTIONS)
    for line in transitions():
        assert f"`{line.mutation}`" in text
        assert all(need.value in text for need in line.needs)
    assert set(PERMITTED) == set(re.findall(r"`([a-z]+[A-Z]\w+)`", text)) - {"occurredAt"}


def test_the_tables_name_exactly_the_mutations_of_the_schema(graph: Graph) -> None:
    root = graph._schema.mutation_type
    assert root is not None
    assert set(root.fields) == set(PERMITTED) == set(lifecycle_table.MUTATIONS)


def test_every_kind_of_event_has_a_mutation() -> None:
    of_steps = {line.kind.name for line in transitions()}
    assert of_steps | set(OTHER_EVENTS) | WITHOUT_MUTATION == {kind.name for kind in EventKind}
    assert of_steps.isdisjoint(OTHER_EVENTS)
    assert set(OTHER_EVENTS.values()) <= set(PERMITTED)


def test_the_commander_may_call_every_mutation_and_a_wall_none() -> None:
    commander, wall = (Viewer(Visibility(role)) for role in (Role.COMMANDER, Role.WALL))
    assert all(lifecycle.may_call(commander, mutation) for mutation in PERMITTED)
    assert not any(lifecycle.may_call(wall, mutation) for mutation in PERMITTED)


@pytest.mark.parametrize("scope", Scope)
def test_a_program_may_call_the_mutations_of_its_scope(scope: Scope) -> None:
    program = Viewer(Visibility(Role.INTEGRATOR, frozenset({scope})))
    expected = {
        row.split(" |")[0]
        for row in lifecycle_table.OTHER_MUTATIONS.strip().splitlines()
        if row.endswith(f"| {scope.value}")
    }
    assert {mutation for mutation in PERMITTED if lifecycle.may_call(program, mutation)} == expected


def test_no_transition_is_listed_twice() -> None:
    seen = [(line.mutation, source, line.to, line.who) for line in transitions() for source in line.sources]
    assert len(seen) == len(set(seen))


def test_final_statuses_have_no_transition() -> None:
    final = {"CLOSED", "DISMISSED", "CANCELLED", "NOT_FILED", "TRANSFERRED", "WITHDRAWN", "RELEASED", "RESOLVED"}
    assert not {source.name for line in transitions() for source in line.sources} & final
    every = {state for line in transitions() for state in type(line.to)}
    stuck = {s.name for s in every if not any(s in line.sources for line in transitions())}
    assert stuck == final
