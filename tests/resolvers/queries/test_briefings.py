"""The briefing for a handover: its numbers against the items that really waited, and who may read it."""

import random
from typing import Any

import pytest

import models
from models.visibility import Role, Viewer, Visibility
from resolvers.queries import briefings
from resolvers.queries.briefings import NOUNS
from schema.execution.operation import Operation
from tests.conftest import make_executor
from tests.support.actors import DAY, DUTY, WALL, contents, inspector
from tests.support.district import Office
from tests.support.lifecycle_table import valid_inputs
from tests.support.statement_plans import RecordedSelects, plan

NEXT = Viewer(Visibility(Role.COMMANDER), subject="next", name="接班长")
SECTION = "{ count lines { kind status item { __typename } event { cursor } } rest { kind status count } }"
QUERY = f"""query($after: String) {{ briefing(after: $after) {{
    after cursor since cut takenOver handover {{ note }}
    arrived {SECTION} done {SECTION} lapsed {SECTION} waiting {SECTION} }} cursor }}"""


async def read_briefing(office: Office, viewer: Viewer = DUTY, after: str | None = None) -> Any:
    return (await office.ask(QUERY, viewer, after=after))["briefing"]


async def waiting_items(office: Office) -> set[tuple[str, int]]:
    """The items that wait, counted from the rows."""
    rows = await contents(office.database, *(noun.model for noun in NOUNS.values()), models.DeadlineExtension)
    items = {
        (kind.name, key)
        for kind, noun in NOUNS.items()
        for key, row in rows[noun.model.__tablename__].items()
        if row.status in noun.waiting
    }
    asked = models.ExtensionStatus.REQUESTED
    extensions = rows[models.DeadlineExtension.__tablename__].values()
    return items | {("EXTENSION", row.hazard_id) for row in extensions if row.status is asked}


async def act_at_random(office: Office, choose: random.Random, own: dict[str, list[str]]) -> None:
    """One or more acts that change what waits. `own` has ids of requests and hazards made so far."""
    act = choose.choice(["hazard", "visit", "case", "dispatch", "request", "withdraw", "resolve", "extend", "decide"])
    inputs = valid_inputs(office.world)
    if act == "hazard":
        upto = choose.choice(["FOUND", "ASSIGNED", "RECTIFYING", "PENDING_ACCEPTANCE", "ACCEPTED", "CLOSED"])
        own[upto].append(await office.hazard(choose.choice(["GENERAL", "GENERAL", "MAJOR"]), upto))
    elif act == "visit":
        await office.visit(choose.choice(["PLANNED", "SUBMITTED", "IN_REVIEW", "CLOSED"]))
    elif act == "case":
        visit = await office.visit("SUBMITTED")
        case = (await office.done(DUTY, "casePropose", inspection=visit, grounds="违法"))["case"]["id"]
        for step in choose.choice([[], ["Decline"], ["File"], ["File", "Investigate", "Notify"]]):
            reason = {"reason": "证据不足"} if step == "Decline" else {}
            await office.done(DUTY, f"case{step}", case=case, **reason)
    elif act == "dispatch":
        dispatch = await office.dispatch()
        if choose.random() < 0.5:
            await office.done(DUTY, "dispatchCancel", dispatch=dispatch, reason="不需要")
    elif act == "request":
        request = {"enterprise": office.enterprise, "problem": "缺泵"}
        own["request"].append((await office.done(DUTY, "assistanceRequest", **request))["assistanceRequest"]["id"])
    elif act in ("withdraw", "resolve") and own["request"]:
        request = {"assistanceRequest": own["request"].pop(choose.randrange(len(own["request"])))}
        if act == "withdraw":
            await office.done(office.world.own, "assistanceWithdraw", **request)
        else:
            await office.done(DUTY, "assistanceResolve", resolution="已解决", **request)
    elif act == "extend" and own["RECTIFYING"]:
        own["extended"].append(own["RECTIFYING"].pop())
        await office.done(
            DUTY, "hazardRequestExtension", **inputs["hazardRequestExtension"], hazard=own["extended"][-1]
        )
    elif act == "decide" and own["extended"]:
        hazard, approve = own["extended"].pop(), choose.random() < 0.5
        await office.done(DUTY, "hazardDecideExtension", hazard=hazard, approve=approve)


@pytest.mark.parametrize("seed", range(3))
async def test_the_numbers_are_those_of_the_items_that_waited(office: Office, seed: int) -> None:
    """Against a count of the rows after every mutation."""
    choose = random.Random(seed)
    own: dict[str, list[str]] = {name: [] for name in ("FOUND", "ASSIGNED", "RECTIFYING", "PENDING_ACCEPTANCE")}
    own |= {name: [] for name in ("ACCEPTED", "CLOSED", "request", "extended")}
    for _ in range(8):
        await act_at_random(office, choose, own)
    start = (await office.ask("{ cursor }"))["cursor"]
    before = await waiting_items(office)
    waited = set(before)
    act = office.act

    async def act_and_count(*words: Any, **given: Any) -> Any:
        answer = await act(*words, **given)
        waited.update(await waiting_items(office))
        return answer

    office.act = act_and_count  # type: ignore[method-assign]  # counts after each mutation
    for _ in range(14):
        await act_at_random(office, choose, own)
    now = await waiting_items(office)
    brief = await read_briefing(office, after=start)
    assert brief["after"] == start
    assert brief["takenOver"] == len(before)
    assert brief["waiting"]["count"] == len(now)
    assert brief["done"]["count"] + brief["lapsed"]["count"] == len(waited - now)
    assert brief["arrived"]["count"] == len(waited - before)
    total = brief["takenOver"] + brief["arrived"]["count"] - brief["done"]["count"] - brief["lapsed"]["count"]
    assert total == brief["waiting"]["count"]
    for name in ("arrived", "done", "lapsed", "waiting"):
        section = brief[name]
        assert section["count"] == len(section["lines"]) + sum(group["count"] for group in section["rest"])


async def test_a_briefing_begins_at_the_viewers_last_signature(office: Office) -> None:
    signed = await office.done(DUTY, "handoverSign", "cursor handover { id }", note="泵两台")
    await office.hazard()
    brief = await read_briefing(office)
    assert (brief["after"], brief["handover"]["note"]) == (signed["cursor"], "泵两台")
    assert brief["arrived"]["count"] >= 1
    taken = await office.done(NEXT, "handoverTake", "cursor", handover=signed["handover"]["id"])
    arriving = await read_briefing(office, NEXT)
    assert (arriving["after"], arriving["arrived"]["count"]) == (taken["cursor"], 0)
    assert arriving["takenOver"] == arriving["waiting"]["count"] == brief["waiting"]["count"]


async def test_grave_items_are_listed_with_their_events(office: Office) -> None:
    start = (await office.ask("{ cursor }"))["cursor"]
    await office.hazard("MAJOR")
    await office.hazard("GENERAL")
    request = {"enterprise": office.enterprise, "problem": "缺泵"}
    await office.done(DUTY, "assistanceRequest", **request)
    arrived = (await read_briefing(office, after=start))["arrived"]
    assert [(line["kind"], line["item"]["__typename"]) for line in arrived["lines"]] == [
        ("ASSISTANCE", "AssistanceRequest"),
        ("HAZARD", "Hazard"),
        ("INSPECTION", "Inspection"),  # which found the major hazard
    ]
    numbers = [int(line["event"]["cursor"].split("-")[1]) for line in arrived["lines"]]
    assert all(number > int(start.split("-")[1]) for number in numbers)
    assert {"kind": "HAZARD", "status": "FOUND", "count": 1} in arrived["rest"]


async def test_what_an_enterprise_withdraws_has_lapsed(office: Office) -> None:
    request = {"enterprise": office.enterprise, "problem": "缺泵"}
    made = await office.done(office.world.own, "assistanceRequest", **request)
    start = (await office.ask("{ cursor }"))["cursor"]
    await office.done(office.world.own, "assistanceWithdraw", assistanceRequest=made["assistanceRequest"]["id"])
    brief = await read_briefing(office, after=start)
    assert (brief["lapsed"]["count"], brief["done"]["count"]) == (1, 0)
    [line] = brief["lapsed"]["lines"]
    assert (line["kind"], line["status"]) == ("ASSISTANCE", "WITHDRAWN")


async def test_what_the_bureau_ended_is_done_whoever_acted_last(office: Office) -> None:
    hazard = await office.hazard()
    start = (await office.ask("{ cursor }"))["cursor"]
    await office.done(DUTY, "hazardAssign", **valid_inputs(office.world)["hazardAssign"], hazard=hazard)
    await office.done(office.world.own, "hazardStartRectifying", hazard=hazard)
    brief = await read_briefing(office, after=start)
    assert (brief["lapsed"]["count"], brief["done"]["count"]) == (0, 1)
    assert brief["done"]["rest"] == [{"kind": "HAZARD", "status": "RECTIFYING", "count": 1}]


async def test_a_request_for_time_lapses_with_its_hazard(office: Office) -> None:
    inputs = valid_inputs(office.world)
    hazard = await office.hazard(upto="RECTIFYING")
    start = (await office.ask("{ cursor }"))["cursor"]
    await office.done(DUTY, "hazardRequestExtension", hazard=hazard, **inputs["hazardRequestExtension"])
    await office.done(DUTY, "hazardSubmitRectification", hazard=hazard, **inputs["hazardSubmitRectification"])
    await office.done(DUTY, "hazardAccept", hazard=hazard)
    brief = await read_briefing(office, after=start)
    assert brief["lapsed"]["rest"] == [{"kind": "EXTENSION", "status": "LAPSED", "count": 1}]
    assert (brief["arrived"]["count"], brief["done"]["count"]) == (2, 0)  # the hazard waits for its close


async def test_a_span_is_cut_to_the_last_events(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.hazard()
    office.later(2 * DAY)
    start = (await office.ask("{ cursor }"))["cursor"]
    await office.hazard()
    number = int(start.split("-")[1])
    head = int((await office.ask("{ cursor }"))["cursor"].split("-")[1])
    for maximum, cut in ((head - number, False), (head - number - 1, True)):
        monkeypatch.setattr(briefings, "EVENTS_MAXIMUM", maximum)
        for after in (start, None):  # whoever never signed gets the last day
            brief = await read_briefing(office, Viewer(DUTY.visibility, subject="new"), after=after)
            assert (brief["cut"], int(brief["after"].split("-")[1])) == (cut, head - maximum)
            assert brief["since"] is not None
            total = brief["takenOver"] + brief["arrived"]["count"] - brief["done"]["count"] - brief["lapsed"]["count"]
            assert total == brief["waiting"]["count"]


async def test_only_the_events_of_the_span_are_read(office: Office) -> None:
    """SQLite would read all that there ever were of a subject, by the index for the events of one row."""
    with RecordedSelects(office.database) as recorded:
        executor = make_executor(office.graph, office.database, planned=False)
        answer = await executor.run(Operation(QUERY, {"after": None}), DUTY)
    assert answer.errors == []
    [(statement, parameters)] = [select for select in recorded.selects if "hazard_ends" in select[0]]
    lines = (await plan(office.database, statement, parameters)).splitlines()
    assert not [line for line in lines if "ix_event_subject (subject=?)" in line]
    if office.database.sqlite:
        assert sum("SEARCH event USING INTEGER PRIMARY KEY (rowid>?)" in line for line in lines) == len(NOUNS)


async def test_only_a_commander_gets_a_briefing(office: Office) -> None:
    for viewer in (WALL, inspector(office.world.inspector), office.world.own):
        assert await read_briefing(office, viewer) is None


async def test_a_cursor_that_cannot_be_is_refused(office: Office) -> None:
    document = Operation(QUERY, {"after": "nonsense"})
    [error] = (await office.running.run(document, DUTY)).errors
    assert error["extensions"]["code"] == "BAD_CURSOR"
