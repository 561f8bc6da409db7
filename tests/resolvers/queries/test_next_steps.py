"""A row names the mutations that are legal next, and no others."""

from typing import Any

import pytest

from models import Role, Viewer, Visibility, lifecycle
from tests.support.actors import DUTY, WALL
from tests.support.district import Office
from tests.support.lifecycle_table import transitions_of

ROLES = {"C": Role.COMMANDER, "I": Role.INSPECTOR, "E": Role.ENTERPRISE, "": Role.WALL}


@pytest.mark.parametrize("cycle", lifecycle.LIFECYCLES)
@pytest.mark.parametrize("letter", ROLES)
def test_the_steps_are_those_of_the_table(cycle: str, letter: str) -> None:
    viewer = Viewer(Visibility(ROLES[letter]))
    for status in {source for line in lifecycle.LIFECYCLES[cycle] for source in line.sources}:
        expected: dict[str, set[str | None]] = {}
        for line in transitions_of(cycle):
            if status.name in line.sources and letter in line.who:
                expected.setdefault(line.mutation, set()).update({line.to} - {None})
        steps = lifecycle.next_steps(cycle, status, viewer)
        assert {mutation: set(to) for mutation, to in steps.items()} == expected


async def test_rows_name_their_steps_to_those_who_may_take_them(office: Office) -> None:
    hazard = await office.hazard(upto="PENDING_ACCEPTANCE")
    query = "query($id: ID!) { node(id: $id) { ... on Hazard { nextSteps { mutation to } } } }"

    async def steps(viewer: Viewer) -> Any:
        answer = await office.ask(query, viewer, id=hazard)
        return {step["mutation"]: step["to"] for step in answer["node"]["nextSteps"]}

    judge = {"hazardAccept": ["ACCEPTED"], "hazardReject": ["RECTIFYING"]}
    assert await steps(DUTY) == {**judge, "hazardDecideExtension": []}
    assert await steps(office.world.officer) == judge
    assert await steps(WALL) == {}
