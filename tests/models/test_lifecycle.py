"""The life cycles as data: the page that is made of them, the mutations that they name, the events that they leave."""

import re
from pathlib import Path

import pytest

from models import EventKind, Role, Scope, Viewer, Visibility, lifecycle
from models.lifecycle import ACTIONS, LIFECYCLES, PERMITTED, Transition
from models.lifecycle_page import page
from schema.build import Graph
from tests.support import lifecycle_table

ROOT = Path(__file__).parent.parent.parent
# What the log tells of besides the steps of life cycles, and what leaves it.
BESIDES = {
    "HAZARD_AMENDED": "inspectionSubmit",
    "HAZARD_EXTENSION_REQUESTED": "hazardRequestExtension",
    "HAZARD_EXTENSION_DECIDED": "hazardDecideExtension",
    "DUTY_REPORT_SUBMITTED": "dutyReportSubmit",
    "ENTERPRISE_REGISTERED": "enterpriseUpsert",
    "ENTERPRISE_CHANGED": "enterpriseUpsert",
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
}
# These are not of a mutation.
ELSEWHERE = {"REGISTER_IMPORTED"}


def transitions() -> list[Transition]:
    return [line for cycle in LIFECYCLES.values() for line in cycle]


def test_the_page_is_not_stale() -> None:
    assert (ROOT / "docs" / "reference" / "lifecycles.md").read_text() == page()


def test_the_page_has_every_line_and_every_state() -> None:
    text = page()
    assert len(re.findall(r"^\| (?!From|Mutation|---)", text, re.MULTILINE)) == len(transitions()) + len(ACTIONS)
    for line in transitions():
        assert f"`{line.mutation}`" in text
        assert all(need.value in text for need in line.needs)
    assert set(PERMITTED) == set(re.findall(r"`([a-z]+[A-Z]\w+)`", text))


def test_every_mutation_is_permitted_to_somebody_and_no_other_is_named(graph: Graph) -> None:
    root = graph._schema.mutation_type
    assert root is not None
    assert set(root.fields) == set(PERMITTED) == set(lifecycle_table.MUTATIONS)


def test_every_kind_of_event_is_of_a_mutation() -> None:
    of_steps = {line.kind.name for line in transitions()}
    assert of_steps | set(BESIDES) | ELSEWHERE == {kind.name for kind in EventKind}
    assert of_steps.isdisjoint(BESIDES)
    assert set(BESIDES.values()) <= set(PERMITTED)


def test_the_commander_may_everything_and_a_wall_nothing() -> None:
    commander, wall = (Viewer(Visibility(role)) for role in (Role.COMMANDER, Role.WALL))
    assert all(lifecycle.may_call(commander, mutation) for mutation in PERMITTED)
    assert not any(lifecycle.may_call(wall, mutation) for mutation in PERMITTED)


@pytest.mark.parametrize("scope", Scope)
def test_a_program_may_what_its_scope_says(scope: Scope) -> None:
    program = Viewer(Visibility(Role.INTEGRATOR, frozenset({scope})))
    wanted = {
        row.split(" |")[0] for row in lifecycle_table.BESIDES.strip().splitlines() if row.endswith(f"| {scope.value}")
    }
    assert {mutation for mutation in PERMITTED if lifecycle.may_call(program, mutation)} == wanted


def test_no_two_lines_lead_from_one_state_by_one_mutation_to_one_state() -> None:
    seen = [(line.mutation, source, line.to, line.who) for line in transitions() for source in line.sources]
    assert len(seen) == len(set(seen))


def test_no_way_leads_out_of_an_end() -> None:
    ends = {"CLOSED", "DISMISSED", "CANCELLED", "NOT_FILED", "TRANSFERRED", "WITHDRAWN", "RELEASED", "RESOLVED"}
    assert not {source.name for line in transitions() for source in line.sources} & ends
    every = {state for line in transitions() for state in type(line.to)}
    stuck = {s.name for s in every if not any(s in line.sources for line in transitions())}
    assert stuck == ends
