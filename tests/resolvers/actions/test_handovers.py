"""Handovers: who signs, who takes over, and who may read them."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

import models
from models.visibility import Role, Viewer, Visibility
from tests.conftest import NOW
from tests.support.actors import DUTY, HOUR, WALL, Desk, insert
from tests.support.district import Office

NEXT = Viewer(Visibility(Role.COMMANDER), subject="next", name="接班长")
NOTE = "一队留守至雨停"
HANDOVERS = "{ handovers(first: 10) { nodes { id note leavingName arrivingName version } } }"
EVENTS = """{ events(last: 2) { nodes { kind actor { name } changes { field to }
    ... on HandoverUpdate { handover { note } } } } }"""


async def test_a_duty_is_signed_and_taken_over_by_another(office: Office) -> None:
    signed = await office.done(DUTY, "handoverSign", "handover { id note }", note="初稿")
    handover = signed["handover"]["id"]
    again = await office.done(DUTY, "handoverSign", "handover { id note version }", note=NOTE)
    assert again["handover"] == {"id": handover, "note": NOTE, "version": 2}
    assert await office.invalid(DUTY, "handoverTake", handover=handover) == "handover"
    office.later(HOUR)
    taken = await office.done(
        NEXT, "handoverTake", "handover { arrivingName signedAt takenAt }", handover=handover, expectedVersion=2
    )
    assert taken["handover"]["arrivingName"] == "接班长"
    assert taken["handover"]["takenAt"] > taken["handover"]["signedAt"]
    assert await office.invalid(NEXT, "handoverTake", handover=handover) == "handover"
    # A later duty has a handover of its own.
    later = await office.done(DUTY, "handoverSign", "handover { id }", note="无事")
    assert later["handover"]["id"] != handover


async def test_an_officer_has_one_open_handover_however_often_they_sign_at_once(office: Office) -> None:
    viewer = Viewer(Visibility(Role.COMMANDER), subject="hasty")
    desks = [Desk(office.graph, office.database) for _ in range(4)]
    signed = await asyncio.gather(*(desk.done(viewer, "handoverSign", note=NOTE) for desk in desks))
    assert len({each["handover"]["id"] for each in signed}) == 1
    row = {"leaving": viewer.identity, "note": NOTE, "signed_at": NOW, "version": 1}
    with pytest.raises(IntegrityError):
        await insert(office.database, models.Handover, row)
    await insert(office.database, models.Handover, row | {"taken_at": NOW})


async def test_a_note_is_bounded(office: Office) -> None:
    assert await office.invalid(DUTY, "handoverSign", note="长" * 4_001) == "note"


async def test_only_commanders_read_handovers_and_their_notes(office: Office) -> None:
    """Others see that the duty changed hands, and nothing more."""
    signed = await office.done(DUTY, "handoverSign", "handover { id }", note="初稿")
    await office.done(DUTY, "handoverSign", note=NOTE)
    [own] = [h for h in (await office.ask(HANDOVERS))["handovers"]["nodes"] if h["id"] == signed["handover"]["id"]]
    assert (own["note"], own["leavingName"]) == (NOTE, "值班长")
    for viewer in (WALL, office.world.officer, office.world.own):
        assert (await office.ask(HANDOVERS, viewer))["handovers"]["nodes"] == []
        assert (await office.ask("query($id: ID!) { node(id: $id) { id } }", viewer, id=own["id"]))["node"] is None
    for viewer in (WALL, office.world.officer):
        [_, event] = (await office.ask(EVENTS, viewer))["events"]["nodes"]
        assert (event["kind"], event["handover"], event["changes"]) == ("HANDOVER_SIGNED", None, [])
    assert "HANDOVER" not in str(await office.ask("{ events(last: 9) { nodes { kind } } }", office.world.own))
