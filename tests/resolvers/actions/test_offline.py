"""Acts that a device could not send at once: they count by the time when they were done, within bounds."""

import datetime as dt
from typing import Any

import pytest
import pytest_asyncio

import models
from models.db import portrait_sums
from models.db.database import Database
from schema.build import Graph
from tests.conftest import NOW
from tests.support.actors import DAY, DUTY, HOUR, at, contents, log_after
from tests.support.district import Office, finding, open_office

MINUTE = dt.timedelta(minutes=1)
MUTATIONS = """
inspectionPlan inspectionAcknowledge inspectionDepart inspectionArrive inspectionSubmit casePropose
hazardReport hazardStartRectifying hazardSubmitRectification hazardAccept hazardReject hazardRequestExtension
dutyReportSubmit assistanceRequest assistanceResolve assistanceWithdraw controlMeasureAdd controlMeasureLift
inspectorSetDuty dispatchAcknowledge dispatchDepart dispatchArrive dispatchComplete dispatchDecline
"""


@pytest_asyncio.fixture
async def office(graph: Graph, database: Database) -> Office:
    """An office in a database of its own, because the dates of a log never run backwards."""
    return await open_office(graph, database)


async def check_sums(database: Database) -> None:
    async with database.read() as connection:
        assert await portrait_sums.differences(connection) == 0


async def refusal(office: Office, mutation: str, **given: Any) -> str:
    """The reason for which the time of the act is refused."""
    answer = await office.act(DUTY, mutation, **given)
    assert answer["__typename"] == "InvalidInput", answer
    assert [error["field"] for error in answer["errors"]] == ["occurredAt"]
    reason: str = answer["errors"][0]["reason"]
    return reason


def test_every_mutation_of_the_field_takes_the_time_of_the_act(graph: Graph) -> None:
    root = graph._schema.mutation_type
    assert root is not None
    takers = [name for name, field in root.fields.items() if "occurredAt" in field.args["input"].type.of_type.fields]
    assert sorted(takers) == sorted(MUTATIONS.split())


async def test_rows_and_events_have_the_time_of_the_act_and_the_log_that_of_its_arrival(office: Office) -> None:
    visit = await office.visit("DISPATCHED")
    officer, world = office.world.officer, office.world
    office.later(5 * HOUR)
    steps = {"Acknowledge": 1, "Depart": 2, "Arrive": 3}
    for step, hours in steps.items():
        await office.done(officer, f"inspection{step}", inspection=visit, occurredAt=at(NOW + hours * HOUR))
    [hazard] = await office.submit(visit, finding(fixedOnSpot=True), occurredAt=at(NOW + 4 * HOUR))
    shown = await office.ask(
        """query($visit: ID!, $hazard: ID!) {
          visit: node(id: $visit) { ... on Inspection { acknowledgedAt departedAt arrivedAt submittedAt } }
          hazard: node(id: $hazard) { ... on Hazard { foundAt rectifiedAt id } }
          events(last: 6) { nodes { kind at occurredAt } }
        }""",
        visit=visit,
        hazard=hazard["id"],
    )
    times = {"acknowledgedAt": 1, "departedAt": 2, "arrivedAt": 3, "submittedAt": 4}
    assert shown["visit"] == {name: at(NOW + hours * HOUR) for name, hours in times.items()}
    submitted = at(NOW + 4 * HOUR)
    assert shown["hazard"]["foundAt"] == shown["hazard"]["rectifiedAt"] == submitted
    events = [(event["at"], event["occurredAt"]) for event in shown["events"]["nodes"]]
    expected = [at(NOW + hours * HOUR) for hours in (1, 2, 3, 4, 4, 4)]
    assert events == [(at(office.now), moment) for moment in expected]
    assert world.officer.inspector is not None
    await check_sums(office.database)


async def test_without_the_time_of_the_act_it_is_that_of_its_arrival(office: Office) -> None:
    visit = await office.visit("DISPATCHED")
    office.later(HOUR)
    await office.done(DUTY, "inspectionAcknowledge", inspection=visit)
    [event] = (await office.ask("{ events(last: 1) { nodes { at occurredAt } } }"))["events"]["nodes"]
    assert event == {"at": at(NOW + HOUR), "occurredAt": at(NOW + HOUR)}
    assert (await log_after(office.database))[-1].occurred_at is None


async def test_a_rectification_in_time_counts_as_in_time_though_it_arrives_late(office: Office) -> None:
    deadline = at(NOW + 2 * HOUR)
    late, in_time = [await office.hazard(upto="RECTIFYING", deadline=deadline) for _ in range(2)]
    office.later(3 * DAY)
    own = office.world.own
    await office.done(own, "hazardSubmitRectification", hazard=late, statement="好了")
    given = {"hazard": in_time, "statement": "好了", "occurredAt": at(NOW + HOUR)}
    await office.done(own, "hazardSubmitRectification", **given)
    await check_sums(office.database)
    query = "query($id: ID!) { node(id: $id) { ... on Enterprise { portrait { onTimeRate } } } }"
    assert (await office.ask(query, id=office.enterprise))["node"] == {"portrait": {"onTimeRate": 0.5}}


async def test_indicators_count_an_inspection_on_the_day_of_the_act(office: Office) -> None:
    visit = await office.visit()
    office.later(10 * DAY)
    await office.submit(visit, finding(), occurredAt=at(NOW + HOUR))
    later_visit = await office.visit()
    await office.submit(later_visit, finding())
    await check_sums(office.database)
    query = """query($id: ID!, $day: Date!) { node(id: $id) { ... on Enterprise {
        portrait(window: { from: $day, to: $day }) { inspections hazardsFound } } } }"""
    for day in (NOW.date(), office.now.date()):
        shown = (await office.ask(query, id=office.enterprise, day=day.isoformat()))["node"]
        assert shown["portrait"] == {"inspections": 1, "hazardsFound": 1}, day


async def test_an_inspection_that_arrives_late_is_not_the_last_one(office: Office) -> None:
    early, last = await office.visit(), await office.visit()
    office.later(3 * HOUR)
    await office.submit(last, finding(), occurredAt=at(NOW + 2 * HOUR))
    await office.submit(early, finding(), occurredAt=at(NOW + HOUR))
    enterprises = (await contents(office.database, models.Enterprise))["enterprise"]
    assert enterprises[office.world.enterprise].last_inspected_at == NOW + 2 * HOUR


async def test_a_deadline_must_be_after_the_act_and_may_be_before_its_arrival(office: Office) -> None:
    report = {"enterprise": office.enterprise, "level": "GENERAL", "description": "线路老化"}
    office.later(3 * HOUR)
    given = {**report, "occurredAt": at(NOW + HOUR)}
    hazard = await office.done(DUTY, "hazardReport", "hazard { overdue }", **given, deadline=at(NOW + 2 * HOUR))
    assert hazard["hazard"] == {"overdue": True}
    assert await office.invalid(DUTY, "hazardReport", **given, deadline=at(NOW + HOUR)) == "deadline"


@pytest.mark.parametrize(
    ("occurred", "reason"),
    [
        (dt.timedelta(minutes=2), None),
        (dt.timedelta(minutes=2, seconds=1), "OCCURRED_IN_FUTURE"),
        (-30 * DAY, None),
        (-30 * DAY - dt.timedelta(seconds=1), "OCCURRED_TOO_LONG_AGO"),
    ],
)
async def test_a_time_in_the_future_or_long_ago_is_refused(
    office: Office, occurred: dt.timedelta, reason: str | None
) -> None:
    given = {"enterprise": office.enterprise, "problem": "排水", "occurredAt": at(NOW + occurred)}
    if reason is not None:
        assert await refusal(office, "assistanceRequest", **given) == reason
    else:
        done = await office.done(DUTY, "assistanceRequest", "assistanceRequest { requestedAt }", **given)
        # A clock that is ahead within the tolerance never makes a row of the future.
        assert done["assistanceRequest"] == {"requestedAt": at(min(NOW, NOW + occurred))}


async def test_an_act_cannot_precede_the_step_that_it_follows(office: Office) -> None:
    visit = await office.visit("DISPATCHED")
    office.later(DAY)
    too_early = at(NOW - 2 * MINUTE - dt.timedelta(seconds=1))
    assert await refusal(office, "inspectionAcknowledge", inspection=visit, occurredAt=too_early) == (
        "OCCURRED_BEFORE_STEP"
    )
    # Clocks differ a little: then the act is at the time of the step.
    shown = "inspection { acknowledgedAt }"
    given = {"inspection": visit, "occurredAt": at(NOW - 2 * MINUTE)}
    done = await office.done(DUTY, "inspectionAcknowledge", shown, **given)
    assert done["inspection"] == {"acknowledgedAt": at(NOW)}
    await office.done(DUTY, "inspectionDepart", inspection=visit, occurredAt=at(NOW + 2 * HOUR))
    before = {"inspection": visit, "occurredAt": at(NOW + HOUR)}
    assert await refusal(office, "inspectionArrive", **before) == "OCCURRED_BEFORE_STEP"
    await office.done(DUTY, "inspectionArrive", inspection=visit)


async def test_what_happened_meanwhile_without_a_change_of_status_does_not_matter(office: Office) -> None:
    hazard = await office.hazard(upto="RECTIFYING")
    office.later(2 * HOUR)
    await office.done(DUTY, "hazardRequestExtension", hazard=hazard, to=at(NOW + 90 * DAY), reason="缺配件")
    given = {"hazard": hazard, "statement": "好了", "occurredAt": at(NOW + HOUR)}
    await office.done(DUTY, "hazardSubmitRectification", **given)


async def test_a_step_that_somebody_else_has_taken_is_illegal_whatever_its_time(office: Office) -> None:
    visit = await office.visit("DISPATCHED")
    office.later(2 * HOUR)
    await office.done(DUTY, "inspectionAcknowledge", inspection=visit)
    given = {"inspection": visit, "occurredAt": at(NOW + HOUR)}
    assert await office.refused(DUTY, "inspectionAcknowledge", **given) == "IllegalTransition"


async def test_duty_that_was_set_before_is_not_overwritten_by_an_older_act(office: Office) -> None:
    officer = office.world.id("inspector")
    office.later(2 * HOUR)
    await office.done(DUTY, "inspectorSetDuty", inspector=officer, onDuty=True)
    given = {"inspector": officer, "onDuty": False, "occurredAt": at(NOW + HOUR)}
    assert await refusal(office, "inspectorSetDuty", **given) == "OCCURRED_BEFORE_STEP"


async def test_a_case_cannot_be_proposed_before_its_inspection_was_submitted(office: Office) -> None:
    visit = await office.visit()
    office.later(2 * HOUR)
    await office.done(DUTY, "inspectionSubmit", inspection=visit, result="PASS")
    given = {"inspection": visit, "grounds": "违法", "occurredAt": at(NOW + HOUR)}
    assert await refusal(office, "casePropose", **given) == "OCCURRED_BEFORE_STEP"


async def test_the_order_of_the_log_is_that_of_arrival(office: Office) -> None:
    before = len(await log_after(office.database))
    for hours in (1, 3, 2):
        office.later(HOUR)
        report = {"enterprise": office.enterprise, "level": "GENERAL", "description": "线路老化"}
        await office.done(DUTY, "hazardReport", **report, occurredAt=at(NOW - hours * HOUR))
    events = (await log_after(office.database))[before:]
    assert [event.occurred_at for event in events] == [NOW - hours * HOUR for hours in (1, 3, 2)]
    assert [event.at for event in events] == [NOW + hours * HOUR for hours in (1, 2, 3)]


async def test_a_repeat_may_correct_the_time_of_the_act_and_the_first_success_counts(office: Office) -> None:
    office.later(HOUR)
    given = {"enterprise": office.enterprise, "problem": "排水", "clientMutationId": "a" + office.world.mark}
    shown = "assistanceRequest { id requestedAt }"
    first = await office.done(DUTY, "assistanceRequest", shown, **given, occurredAt=at(NOW))
    again = await office.done(DUTY, "assistanceRequest", shown, **given, occurredAt=at(NOW + MINUTE))
    assert again == first
    assert first["assistanceRequest"]["requestedAt"] == at(NOW)


async def test_a_time_without_an_offset_is_refused(office: Office) -> None:
    given = {"enterprise": office.enterprise, "problem": "排水", "occurredAt": "2026-06-15T12:00:00"}
    assert await office.invalid(DUTY, "assistanceRequest", **given) == "occurredAt"
