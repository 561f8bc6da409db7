"""A request for a later deadline that nobody has decided ends with its hazard."""

from typing import Any

import pytest

import models
from schema.types import node_id
from tests.conftest import NOW
from tests.support.actors import DAY, DUTY, at, insert
from tests.support.district import Office
from tests.support.lifecycle_table import valid_inputs

SHOWN = "hazard { id version extensions { status decidedAt } } cursor"
ASKED = "{ hazards(first: 1000, filter: { extensionRequested: true }) { nodes { id } } }"
EVENTS = """query($after: String) { events(first: 5, after: $after) { nodes {
    kind actor { role } changes { field from to } } } }"""


async def is_asked(office: Office, hazard: str) -> bool:
    return {"id": hazard} in (await office.ask(ASKED))["hazards"]["nodes"]


async def request(office: Office, hazard: str, days: int = 90) -> Any:
    given = {"to": at(NOW + days * DAY), "reason": "缺配件", "hazard": hazard}
    return (await office.done(office.world.own, "hazardRequestExtension", SHOWN, **given))["hazard"]


async def test_an_acceptance_ends_a_request_that_nobody_has_decided(office: Office) -> None:
    hazard = await office.hazard(upto="RECTIFYING")
    await request(office, hazard)
    submitted = {"hazard": hazard, **valid_inputs(office.world)["hazardSubmitRectification"]}
    before = (await office.done(office.world.own, "hazardSubmitRectification", SHOWN, **submitted))["hazard"]
    assert await is_asked(office, hazard)
    start = (await office.ask("{ cursor }"))["cursor"]
    accepted = await office.done(DUTY, "hazardAccept", SHOWN, hazard=hazard)
    assert accepted["hazard"]["extensions"] == [{"status": "LAPSED", "decidedAt": None}]
    assert accepted["hazard"]["version"] == before["version"] + 1
    assert not await is_asked(office, hazard)
    [acceptance, lapse] = (await office.ask(EVENTS, after=start))["events"]["nodes"]
    assert acceptance["kind"] == "HAZARD_ACCEPTED"
    assert [each["field"] for each in acceptance["changes"]] == ["acceptedAt"]
    assert lapse == {
        "kind": "HAZARD_EXTENSION_LAPSED",
        "actor": None,
        "changes": [{"field": "extension", "from": "REQUESTED", "to": "LAPSED"}],
    }
    # Whoever reopens the hazard may be asked for more time again.
    await office.done(DUTY, "hazardReopen", hazard=hazard, reason="复发")
    again = await request(office, hazard, 120)
    assert [each["status"] for each in again["extensions"]] == ["LAPSED", "REQUESTED"]


@pytest.mark.parametrize(("mutation", "status"), [("hazardDismiss", "FOUND"), ("hazardClose", "ACCEPTED")])
async def test_every_end_of_a_hazard_ends_its_request(office: Office, mutation: str, status: str) -> None:
    """An import may have brought a hazard with a request to a status in which nobody can decide it."""
    hazard = await office.hazard(upto=status)
    asked = {"from_deadline": NOW, "to_deadline": NOW + DAY, "reason": "缺配件", "requested_at": NOW - DAY}
    asked |= {"hazard_id": node_id.decode(hazard)[1], "status": models.ExtensionStatus.REQUESTED}
    await insert(office.database, models.DeadlineExtension, asked)
    reason = {"reason": "误报"} if mutation == "hazardDismiss" else {}
    ended = await office.done(DUTY, mutation, SHOWN, hazard=hazard, **reason)
    assert [each["status"] for each in ended["hazard"]["extensions"]] == ["LAPSED"]
