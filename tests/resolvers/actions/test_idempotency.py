"""A mutation that is repeated under the client's own name for it is done once, and answered as at first."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest_asyncio

import models
from models.db.database import Database
from schema.build import Graph
from tests.conftest import NOW, Databases
from tests.support.actors import DAY, DUTY, Desk, contents, log_after
from tests.support.district import Office, opened
from tests.support.lifecycle_table import given

SHOWN = "assistanceRequest { id problem status version } cursor"
SECOND = dt.timedelta(seconds=1)


@pytest_asyncio.fixture(scope="module")
async def shared(databases: Databases, migrated_url: str) -> AsyncIterator[Database]:
    """One database for all tests of this file, each in a district of its own."""
    made = Database(await databases.new(migrated_url))
    yield made
    await made.close()


@pytest_asyncio.fixture
async def office(graph: Graph, shared: Database) -> Office:
    return await opened(graph, shared)


def asking(office: Office, name: str, **more: Any) -> dict[str, Any]:
    """A request for help under a name that no other test has."""
    return {"enterprise": office.enterprise, "problem": "排水", "clientMutationId": name + office.world.mark, **more}


async def requests(office: Office) -> int:
    rows = (await contents(office.database, models.AssistanceRequest))["assistance_request"].values()
    return sum(row.enterprise_id == office.world.enterprise for row in rows)


async def test_a_repeat_is_answered_from_the_first_success(office: Office) -> None:
    first = await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "a"))
    events, notifications = len(await log_after(office.database)), office.notifications
    office.later(DAY)
    assert await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "a")) == first
    assert (len(await log_after(office.database)), await requests(office), office.notifications) == (
        events,
        1,
        notifications,
    )
    another = await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "b"))
    assert another["assistanceRequest"]["id"] != first["assistanceRequest"]["id"]
    assert office.notifications == notifications + 1


async def test_also_under_another_selection_and_by_another_process(office: Office) -> None:
    first = await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "a"))
    restarted = Desk(office.graph, office.database)
    again = await restarted.done(
        DUTY, "assistanceRequest", "assistanceRequest { id enterprise { id } requestedAt }", **asking(office, "a")
    )
    assert again["assistanceRequest"] == {
        "id": first["assistanceRequest"]["id"],
        "enterprise": {"id": office.enterprise},
        "requestedAt": NOW.isoformat(),
    }


async def test_the_rows_are_read_as_they_are_now(office: Office) -> None:
    first = (await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "a")))["assistanceRequest"]
    await office.done(DUTY, "assistanceResolve", assistanceRequest=first["id"], resolution="好了")
    again = await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "a"))
    assert again["assistanceRequest"] == {**first, "status": "RESOLVED", "version": 2}


async def test_a_step_that_was_taken_is_not_illegal_when_repeated(office: Office) -> None:
    hazard = await office.hazard()
    step: dict[str, Any] = {"hazard": hazard, "reason": "误报", "expectedVersion": 1}
    step["clientMutationId"] = "s" + office.world.mark
    first = await office.done(DUTY, "hazardDismiss", **step)
    assert await office.done(DUTY, "hazardDismiss", **step) == first
    assert await office.refused(DUTY, "hazardDismiss", **{**step, "clientMutationId": None}) == "Conflict"


async def test_lists_of_rows_come_back_in_order_and_empty_ones_empty(office: Office) -> None:
    report = given(office.world)["dutyReportSubmit"]
    shown = "assistanceRequests { id problem } cursor"
    for name, problems in (("a", ["一", "二", "三"]), ("b", [])):
        again = {**report, "problems": problems, "clientMutationId": name + office.world.mark}
        first = await office.done(DUTY, "dutyReportSubmit", shown, **again)
        assert [r["problem"] for r in first["assistanceRequests"]] == problems
        assert await office.done(DUTY, "dutyReportSubmit", shown, **again) == first


async def test_two_at_once_are_one(office: Office) -> None:
    desks = [Desk(office.graph, office.database) for _ in range(2)]
    for name in ("a", "b", "c", "d"):
        both = [desk.done(DUTY, "assistanceRequest", SHOWN, **asking(office, name)) for desk in desks]
        one, other = await asyncio.gather(*both)
        assert one == other
    assert await requests(office) == 4
    assert sum(desk.notifications for desk in desks) == 4


async def test_two_at_once_with_other_input_are_not(office: Office) -> None:
    desks = [Desk(office.graph, office.database) for _ in range(2)]
    both = [
        desk.act(DUTY, "assistanceRequest", **asking(office, "a", problem=problem))
        for desk, problem in zip(desks, ("水", "电"), strict=True)
    ]
    found = sorted(answer["__typename"] for answer in await asyncio.gather(*both))
    assert (found, await requests(office)) == (["AssistanceRequested", "InvalidInput"], 1)


async def test_the_same_name_for_something_else_is_refused(office: Office) -> None:
    await office.done(DUTY, "assistanceRequest", **asking(office, "a"))
    for other in ({"problem": "供电"}, {"enterprise": office.world.id("other_enterprise")}):
        assert await office.invalid(DUTY, "assistanceRequest", **asking(office, "a", **other)) == "clientMutationId"
    name = {"clientMutationId": "a" + office.world.mark}
    report = {**given(office.world)["dutyReportSubmit"], **name}
    assert await office.invalid(DUTY, "dutyReportSubmit", **report) == "clientMutationId"
    hazard = {"hazard": await office.hazard(), "reason": "误报", "clientMutationId": "v" + office.world.mark}
    await office.done(DUTY, "hazardDismiss", **hazard)
    assert await office.invalid(DUTY, "hazardDismiss", **hazard, expectedVersion=1) == "clientMutationId"
    assert await requests(office) == 1


async def test_what_a_client_leaves_to_its_default_is_the_same_input(office: Office) -> None:
    report = {**given(office.world)["dutyReportSubmit"], "clientMutationId": "a" + office.world.mark}
    first = await office.done(DUTY, "dutyReportSubmit", **report)
    assert await office.done(DUTY, "dutyReportSubmit", **report, expertsOnStandby=0) == first


async def test_another_viewer_has_names_of_their_own(office: Office) -> None:
    colleague = replace(DUTY, subject="night")
    viewers = [DUTY, colleague, office.world.own]
    found = [await office.done(viewer, "assistanceRequest", SHOWN, **asking(office, "a")) for viewer in viewers]
    assert len({answer["assistanceRequest"]["id"] for answer in found}) == 3
    # A new token of the same person is the same viewer.
    renewed = replace(DUTY, name="王", expires_at=NOW + DAY)
    assert await office.done(renewed, "assistanceRequest", SHOWN, **asking(office, "a")) == found[0]


async def test_a_failure_is_not_kept(office: Office) -> None:
    request = (await office.done(DUTY, "assistanceRequest", **asking(office, "r")))["assistanceRequest"]["id"]
    sending = {"assistanceRequest": request, "clientMutationId": "a" + office.world.mark}
    off: dict[str, Any] = {"inspectors": [office.world.id("resting")]}
    assert await office.invalid(DUTY, "assistanceDispatch", **sending, **off) == "inspectors"
    await office.done(DUTY, "inspectorSetDuty", inspector=office.world.id("resting"), onDuty=True)
    await office.done(DUTY, "assistanceDispatch", **sending, **off)


async def test_after_seven_days_it_is_forgotten(office: Office) -> None:
    first = await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "a"))
    office.later(7 * DAY - SECOND)
    assert await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "a")) == first
    office.later(SECOND)
    second = await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "a"))
    assert second["assistanceRequest"]["id"] != first["assistanceRequest"]["id"]
    assert await office.done(DUTY, "assistanceRequest", SHOWN, **asking(office, "a")) == second
    kept = (await contents(office.database, models.ClientMutation))["client_mutation"].values()
    assert all(row.at > office.now - 7 * DAY for row in kept)


async def test_a_name_is_not_blank_and_not_long(office: Office) -> None:
    for name in ("", "  ", "x" * 201, "a\0b", "\ud800"):
        found = await office.invalid(DUTY, "assistanceRequest", **{**asking(office, ""), "clientMutationId": name})
        assert found == "clientMutationId"
    await office.done(DUTY, "assistanceRequest", **{**asking(office, ""), "clientMutationId": "号" * 200})


async def test_a_mutation_that_leaves_no_event_is_answered_again_as_well(office: Office) -> None:
    position = {**given(office.world)["inspectorReportPosition"], "clientMutationId": "a" + office.world.mark}
    first = await office.done(office.world.officer, "inspectorReportPosition", **position)
    notifications = office.notifications
    await office.done(DUTY, "assistanceRequest", **asking(office, "r"))
    assert await office.done(office.world.officer, "inspectorReportPosition", **position) == first
    assert office.notifications == notifications + 1
