"""A device's clientMutationId counts whoever is signed in there, and shows nobody another's data."""

import asyncio
import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

import models
from models.visibility import Scope, Viewer
from resolvers.actions import idempotency
from tests.support.actors import DAY, DUTY, HOUR, Desk, at, contents, enterprise, inspector, log_after, program
from tests.support.district import Office

SHOWN = "assistanceRequest { id problem status version } cursor"
PHONE, TABLET = "6f1c2d3e-phone-0001", "6f1c2d3e-tablet-001"


def arguments(office: Office, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"enterprise": office.enterprise, "problem": "排水", "clientMutationId": name + office.world.mark, **more}


async def requests(office: Office) -> int:
    rows = (await contents(office.database, models.AssistanceRequest))["assistance_request"].values()
    return sum(row.enterprise_id == office.world.enterprise for row in rows)


async def test_a_colleague_on_the_same_device_gets_the_first_success(office: Office) -> None:
    office.device = PHONE
    first = await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office))
    colleague = replace(DUTY, subject="night")
    assert await office.done(colleague, "assistanceRequest", SHOWN, **arguments(office)) == first
    assert await requests(office) == 1
    office.device = TABLET
    other = await office.done(colleague, "assistanceRequest", SHOWN, **arguments(office))
    assert other["assistanceRequest"]["id"] != first["assistanceRequest"]["id"]


async def test_the_same_viewer_gets_it_on_every_device(office: Office) -> None:
    first = await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office))
    for device in (PHONE, TABLET):
        office.device = device
        assert await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office)) == first


async def test_another_enterprise_on_the_device_gets_nothing_but_that_it_was_done(office: Office) -> None:
    office.device = PHONE
    own, other = office.world.own, enterprise(office.world.other_enterprise)
    await office.done(own, "assistanceRequest", **arguments(office))
    before = len(await log_after(office.database))
    answer = await office.act(other, "assistanceRequest", **arguments(office))
    assert (answer["__typename"], answer["reason"]) == ("Forbidden", "MUTATION_DONE_BY_OTHER")
    assert answer["parameters"] == []
    assert (await requests(office), len(await log_after(office.database))) == (1, before)


async def test_a_list_of_rows_is_shown_only_to_whoever_may_see_all(office: Office) -> None:
    office.device = PHONE
    given = {"enterprise": office.enterprise, "measuresInPlace": "有", "supplies": "沙袋", "problems": ["一", "二"]}
    given["clientMutationId"] = "l" + office.world.mark
    shown = "dutyReport { id } assistanceRequests { id problem } cursor"
    first = await office.done(office.world.own, "dutyReportSubmit", shown, **given)
    assert await office.done(DUTY, "dutyReportSubmit", shown, **given) == first
    assert await office.refused(enterprise(office.world.other_enterprise), "dutyReportSubmit", **given) == "Forbidden"


async def test_a_program_without_the_scope_to_read_gets_no_row_of_another(office: Office) -> None:
    office.device = PHONE
    given = {"inspector": office.world.id("inspector"), "onDuty": True, "clientMutationId": "p" + office.world.mark}
    first = await office.done(office.world.officer, "inspectorSetDuty", "inspector { id } cursor", **given)
    assert await office.refused(program(Scope.POSITIONS), "inspectorSetDuty", **given) == "Forbidden"
    reader = program(Scope.POSITIONS, Scope.READ)
    assert await office.done(reader, "inspectorSetDuty", "inspector { id } cursor", **given) == first


async def test_a_role_that_may_not_call_the_mutation_may_not_on_the_device_either(office: Office) -> None:
    office.device = PHONE
    visit = await office.visit("DISPATCHED")
    given = {"inspection": visit, "clientMutationId": "r" + office.world.mark}
    await office.done(office.world.officer, "inspectionAcknowledge", **given)
    assert await office.refused(office.world.own, "inspectionAcknowledge", **given) == "Forbidden"


async def test_an_id_that_a_colleague_used_with_another_input_is_refused(office: Office) -> None:
    office.device = PHONE
    await office.done(DUTY, "assistanceRequest", **arguments(office))
    other = arguments(office, problem="停电")
    assert await office.invalid(replace(DUTY, subject="night"), "assistanceRequest", **other) == "clientMutationId"


async def test_two_people_who_send_one_act_of_a_device_at_once_do_it_once(office: Office) -> None:
    desks = [Desk(office.graph, office.database) for _ in range(4)]
    for name in "abc":
        sending = []
        for number, desk in enumerate(desks):
            desk.device = PHONE
            viewer = replace(DUTY, subject=f"duty-{number % 2}")
            sending.append(desk.done(viewer, "assistanceRequest", SHOWN, **arguments(office, name)))
        first, *others = await asyncio.gather(*sending)
        assert others == [first] * 3
    assert await requests(office) == 3


async def test_a_device_forgets_an_id_when_acts_may_no_longer_wait(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PURGE_EVERY", 10**9)  # so that it is claimed anew, not deleted before
    office.device, colleague = PHONE, replace(DUTY, subject="night")
    first = await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office))
    office.later(30 * DAY - dt.timedelta(seconds=1))
    assert await office.done(colleague, "assistanceRequest", SHOWN, **arguments(office)) == first
    office.later(dt.timedelta(seconds=1))
    second = await office.done(colleague, "assistanceRequest", SHOWN, **arguments(office))
    assert second["assistanceRequest"]["id"] != first["assistanceRequest"]["id"]
    assert await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office)) == second


async def test_a_batch_of_a_colleague_is_finished_and_not_repeated(office: Office) -> None:
    office.device = PHONE
    place = {"latitude": 30.1, "longitude": 120.1}
    one, other = office.world.id("inspector"), office.world.id("other_inspector")
    given: dict[str, Any] = {"rows": [{"inspector": key, "position": place} for key in (one, other)]}
    given["clientMutationId"] = "b" + office.world.mark
    shown = "failures results { index result { __typename } }"
    first = await office.done(office.world.officer, "positionsReport", shown, **given)
    assert first["failures"] == 1
    # The colleague may report their own position, which failed before.
    again = await office.done(inspector(office.world.other_inspector), "positionsReport", shown, **given)
    assert again["failures"] == 0


async def test_what_a_colleague_adds_to_a_batch_stays_theirs(office: Office) -> None:
    """A program that may not read sees the rows that it wrote itself."""
    office.device, first = PHONE, program(Scope.POSITIONS)
    place = {"latitude": 30.1, "longitude": 120.1}
    one, other = office.world.id("inspector"), office.world.id("other_inspector")
    later = at(office.now + HOUR)
    given: dict[str, Any] = {"rows": [{"inspector": one, "position": place}]}
    given["rows"].append({"inspector": other, "position": place, "at": later})
    given["clientMutationId"] = "c" + office.world.mark
    shown = """failures results { result { __typename ... on InspectorPositionReported { inspector { id } }
        ... on Forbidden { reason } } }"""
    own = {"__typename": "InspectorPositionReported", "inspector": {"id": one}}
    others = {"__typename": "InspectorPositionReported", "inspector": {"id": other}}

    async def send(viewer: Viewer) -> list[Any]:
        answer = await office.done(viewer, "positionsReport", shown, **given)
        return [each["result"] for each in answer["results"]]

    assert [each["__typename"] for each in await send(first)] == ["InspectorPositionReported", "InvalidInput"]
    office.later(2 * HOUR)
    assert await send(DUTY) == [own, others]
    assert await send(DUTY) == [own, others]
    forbidden = {"__typename": "Forbidden", "reason": "MUTATION_DONE_BY_OTHER"}
    assert await send(first) == [own, forbidden]
    assert await send(DUTY) == [own, others]


async def test_a_stranger_to_a_batch_does_what_is_left_of_it(office: Office) -> None:
    office.device, stranger = PHONE, program(Scope.POSITIONS)
    place = {"latitude": 30.1, "longitude": 120.1}
    one, other = office.world.id("inspector"), office.world.id("other_inspector")
    given: dict[str, Any] = {"rows": [{"inspector": key, "position": place} for key in (one, other)]}
    given["clientMutationId"] = "s" + office.world.mark
    shown = "failures results { result { __typename } }"
    assert (await office.done(office.world.officer, "positionsReport", shown, **given))["failures"] == 1
    for viewer, kinds in (
        (stranger, ["Forbidden", "InspectorPositionReported"]),
        (stranger, ["Forbidden", "InspectorPositionReported"]),
        (office.world.officer, ["InspectorPositionReported", "InspectorPositionReported"]),
    ):
        answer = await office.done(viewer, "positionsReport", shown, **given)
        assert [each["result"]["__typename"] for each in answer["results"]] == kinds
