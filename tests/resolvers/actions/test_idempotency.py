"""A mutation repeated with one clientMutationId is carried out once, and every repeat gets the first success."""

import asyncio
import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

import models
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers.actions import idempotency
from schema.build import Graph
from tests.conftest import NOW
from tests.support.actors import DAY, DUTY, Desk, contents, log_after, small_world
from tests.support.district import Office
from tests.support.lifecycle_table import valid_inputs

SHOWN = "assistanceRequest { id problem status version } cursor"
SECOND = dt.timedelta(seconds=1)


def arguments(office: Office, name: str, **more: Any) -> dict[str, Any]:
    """Arguments of a request for help, with a clientMutationId that no other test has."""
    return {"enterprise": office.enterprise, "problem": "排水", "clientMutationId": name + office.world.mark, **more}


async def requests(office: Office) -> int:
    rows = (await contents(office.database, models.AssistanceRequest))["assistance_request"].values()
    return sum(row.enterprise_id == office.world.enterprise for row in rows)


async def test_a_repeat_gets_the_first_success(office: Office) -> None:
    first = await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "a"))
    events, notifications = len(await log_after(office.database)), office.notifications
    office.later(DAY)
    assert await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "a")) == first
    assert (len(await log_after(office.database)), await requests(office), office.notifications) == (
        events,
        1,
        notifications,
    )
    another = await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "b"))
    assert another["assistanceRequest"]["id"] != first["assistanceRequest"]["id"]
    assert office.notifications == notifications + 1


async def test_a_repeat_with_another_selection_in_another_process_gets_the_first_success(office: Office) -> None:
    first = await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "a"))
    restarted = Desk(office.graph, office.database)
    again = await restarted.done(
        DUTY, "assistanceRequest", "assistanceRequest { id enterprise { id } requestedAt }", **arguments(office, "a")
    )
    assert again["assistanceRequest"] == {
        "id": first["assistanceRequest"]["id"],
        "enterprise": {"id": office.enterprise},
        "requestedAt": NOW.isoformat(),
    }


async def test_a_repeat_shows_the_rows_as_they_are_now(office: Office) -> None:
    first = (await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "a")))["assistanceRequest"]
    await office.done(DUTY, "assistanceResolve", assistanceRequest=first["id"], resolution="好了")
    again = await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "a"))
    assert again["assistanceRequest"] == {**first, "status": "RESOLVED", "version": 2}


async def test_a_repeated_transition_is_not_illegal(office: Office) -> None:
    hazard = await office.hazard()
    step: dict[str, Any] = {"hazard": hazard, "reason": "误报", "expectedVersion": 1}
    step["clientMutationId"] = "s" + office.world.mark
    first = await office.done(DUTY, "hazardDismiss", **step)
    assert await office.done(DUTY, "hazardDismiss", **step) == first
    assert await office.refused(DUTY, "hazardDismiss", **{**step, "clientMutationId": None}) == "Conflict"


async def test_a_repeat_returns_lists_in_order_and_empty_lists(office: Office) -> None:
    report = valid_inputs(office.world)["dutyReportSubmit"]
    shown = "assistanceRequests { id problem } cursor"
    for name, problems in (("a", ["一", "二", "三"]), ("b", [])):
        again = {**report, "problems": problems, "clientMutationId": name + office.world.mark}
        first = await office.done(DUTY, "dutyReportSubmit", shown, **again)
        assert [r["problem"] for r in first["assistanceRequests"]] == problems
        assert await office.done(DUTY, "dutyReportSubmit", shown, **again) == first


async def test_two_simultaneous_repeats_are_carried_out_once(office: Office) -> None:
    desks = [Desk(office.graph, office.database) for _ in range(2)]
    for name in ("a", "b", "c", "d"):
        both = [desk.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, name)) for desk in desks]
        one, other = await asyncio.gather(*both)
        assert one == other
    assert await requests(office) == 4
    assert sum(desk.notifications for desk in desks) == 4


async def test_of_two_simultaneous_mutations_with_different_input_one_is_refused(office: Office) -> None:
    desks = [Desk(office.graph, office.database) for _ in range(2)]
    both = [
        desk.act(DUTY, "assistanceRequest", **arguments(office, "a", problem=problem))
        for desk, problem in zip(desks, ("水", "电"), strict=True)
    ]
    answer = sorted(answer["__typename"] for answer in await asyncio.gather(*both))
    assert (answer, await requests(office)) == (["AssistanceRequested", "InvalidInput"], 1)


async def test_reusing_an_id_with_other_input_is_refused(office: Office) -> None:
    await office.done(DUTY, "assistanceRequest", **arguments(office, "a"))
    for other in ({"problem": "供电"}, {"enterprise": office.world.id("other_enterprise")}):
        assert await office.invalid(DUTY, "assistanceRequest", **arguments(office, "a", **other)) == "clientMutationId"
    name = {"clientMutationId": "a" + office.world.mark}
    report = {**valid_inputs(office.world)["dutyReportSubmit"], **name}
    assert await office.invalid(DUTY, "dutyReportSubmit", **report) == "clientMutationId"
    hazard = {"hazard": await office.hazard(), "reason": "误报", "clientMutationId": "v" + office.world.mark}
    await office.done(DUTY, "hazardDismiss", **hazard)
    assert await office.invalid(DUTY, "hazardDismiss", **hazard, expectedVersion=1) == "clientMutationId"
    assert await requests(office) == 1


async def test_an_omitted_argument_equals_its_default(office: Office) -> None:
    report = {**valid_inputs(office.world)["dutyReportSubmit"], "clientMutationId": "a" + office.world.mark}
    first = await office.done(DUTY, "dutyReportSubmit", **report)
    assert await office.done(DUTY, "dutyReportSubmit", **report, expertsOnStandby=0) == first


async def test_each_viewer_has_their_own_ids(office: Office) -> None:
    colleague = replace(DUTY, subject="night")
    viewers = [DUTY, colleague, office.world.own]
    answer = [await office.done(viewer, "assistanceRequest", SHOWN, **arguments(office, "a")) for viewer in viewers]
    assert len({answer["assistanceRequest"]["id"] for answer in answer}) == 3
    # A new token of the same person is the same viewer.
    renewed = replace(DUTY, name="王", expires_at=NOW + DAY)
    assert await office.done(renewed, "assistanceRequest", SHOWN, **arguments(office, "a")) == answer[0]


async def test_a_failure_is_not_stored(office: Office) -> None:
    request = (await office.done(DUTY, "assistanceRequest", **arguments(office, "r")))["assistanceRequest"]["id"]
    sending = {"assistanceRequest": request, "clientMutationId": "a" + office.world.mark}
    off: dict[str, Any] = {"inspectors": [office.world.id("resting")]}
    assert await office.invalid(DUTY, "assistanceDispatch", **sending, **off) == "inspectors"
    await office.done(DUTY, "inspectorSetDuty", inspector=office.world.id("resting"), onDuty=True)
    sent = await office.done(DUTY, "assistanceDispatch", **sending, **off)
    assert sent["assistanceRequest"]["status"] == "DISPATCHED"


async def test_an_id_is_forgotten_after_thirty_days(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "PURGE_EVERY", 1)
    first = await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "a"))
    office.later(30 * DAY - SECOND)
    assert await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "a")) == first
    office.later(SECOND)
    second = await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "a"))
    assert second["assistanceRequest"]["id"] != first["assistanceRequest"]["id"]
    assert await office.done(DUTY, "assistanceRequest", SHOWN, **arguments(office, "a")) == second
    stored = (await contents(office.database, models.ClientMutation))["client_mutation"].values()
    assert all(row.at > office.now - 30 * DAY for row in stored)


async def test_an_id_must_not_be_blank_or_longer_than_200_characters(office: Office) -> None:
    for name in ("", "  ", "x" * 201, "a\0b", "\ud800"):
        answer = await office.invalid(DUTY, "assistanceRequest", **{**arguments(office, ""), "clientMutationId": name})
        assert answer == "clientMutationId"
    await office.done(DUTY, "assistanceRequest", **{**arguments(office, ""), "clientMutationId": "号" * 200})


async def test_a_mutation_without_an_event_is_idempotent_too(office: Office) -> None:
    position = {**valid_inputs(office.world)["inspectorReportPosition"], "clientMutationId": "a" + office.world.mark}
    first = await office.done(office.world.officer, "inspectorReportPosition", **position)
    notifications = office.notifications
    await office.done(DUTY, "assistanceRequest", **arguments(office, "r"))
    assert await office.done(office.world.officer, "inspectorReportPosition", **position) == first
    assert office.notifications == notifications + 1


async def test_people_with_the_same_role_have_keys_of_their_own(database: Database, graph: Graph) -> None:
    world = await small_world(database)
    desk = Desk(graph, database)
    one, other = (Viewer(Visibility(Role.COMMANDER), account=key, issued=True) for key in (1, 2))
    again = Viewer(Visibility(Role.COMMANDER), name="李伟", account=1, subject="account:1", issued=True)
    given: dict[str, Any] = {"stockItem": world.id("stock_item"), "quantity": 1, "clientMutationId": "7"}
    first, second, repeat = [await desk.done(viewer, "stockReceive", **given) for viewer in (one, other, again)]
    assert first["stockItem"]["version"] < second["stockItem"]["version"]
    assert first["cursor"] == repeat["cursor"] != second["cursor"]
    assert [event.actor for event in await log_after(database)] == ["account:1", "account:2"]
