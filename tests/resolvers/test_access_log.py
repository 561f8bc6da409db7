"""Who reads which enterprise's contacts, cameras and evidence is kept, by both executors and in streams."""

import csv
import datetime as dt
import io
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

import models
from models.access import AccessKind
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role, Scope, Viewer, Visibility
from resolvers import access_log
from resolvers.access_log import ACCESS, AccessLog
from resolvers.disclosures import Disclosure
from resolvers.evidence.signed_urls import Signer
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.types import node_id
from subscriptions.feed import Message
from tests.conftest import COMMANDER, NOW, SHANGHAI
from tests.support.actors import change, enterprise
from tests.support.live_streams import Sink, make_streams

READER = Viewer(Visibility(Role.INTEGRATOR, frozenset({Scope.READ, Scope.PERSONAL})), subject="program")
WALL = Viewer(Visibility(Role.WALL), subject="wall")
QUERIES = {
    "contacts": "{ enterprises(first: 5) { nodes { id legalRepresentative { phone } } } }",
    "a list below a row": "query Zone { zones { name enterprises(first: 3) { nodes { safetyContact { name } } } } }",
    "owners": "{ enterprises(first: 40) { nodes { id hazards(first: 50) { nodes { owner { name } } } } } }",
    "overdue": "{ hazards(first: 30) { nodes { overdue owner { name } enterprise { safetyContact { phone } } } } }",
    "measures": "{ enterprises(first: 9) { nodes { controlMeasures { nodes { responsible { name } } } } } }",
    "cameras": """{ venues { nodes { cameras { nodes { streamUrl } } } }
      enterprises { nodes { cameras { nodes { streamUrl } } } } }""",
    "nearby": """{ nearby(point: {latitude: 30.2, longitude: 120.3}, kinds: [ENTERPRISE, CAMERA], first: 9) {
      item { ... on Enterprise { legalRepresentative { name } } ... on Camera { streamUrl } } } }""",
    "evidence": "{ hazards(first: 200) { nodes { evidence { url } } } }",
    "actors": "{ events(last: 200) { nodes { actor { name } } } }",
    "by key": '{ nodes(ids: ["RW50ZXJwcmlzZTox"]) { ... on Enterprise { legalRepresentative { name } } } }',
}
NOTHING = {
    "no personal data": "{ enterprises(first: 5) { nodes { id name hazards { nodes { description } } } } }",
    "the bureau's own": "{ inspectors { nodes { fullName phone } } experts { nodes { fullName } } }",
    "skipped": "{ enterprises { nodes { id legalRepresentative @skip(if: true) { phone } } } }",
}


class Kept(AccessLog):
    """Records what is noted."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, set[Disclosure], str | None]] = []

    def note(self, viewer: Any, disclosures: Any, operation: str | None) -> None:
        self.noted.append((viewer.identity, set(disclosures), operation))


def executor(graph: Graph, database: Database, kept: AccessLog, *, planned: bool = True) -> Executor:
    signer = Signer(b"a key of the tests, of no use elsewhere")
    return Executor(graph, database, SHANGHAI, lambda: NOW, signer=signer, planned=planned, access_log=kept)


async def noted(graph: Graph, database: Database, viewer: Viewer, query: str, *, planned: bool) -> list[Any]:
    kept = Kept()
    running = executor(graph, database, kept, planned=planned)
    response = await running.run(Operation(query), viewer)
    assert response.errors == []
    if running.plans is not None:
        assert running.plans.served == 1, running.plans.left
    text = response.written or orjson.dumps(response.data)
    assert b"\x02" not in text
    assert b"\x03" not in text
    orjson.loads(text)
    return kept.noted


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
async def test_both_executors_note_the_same(graph: Graph, own_demo: Database, query: str) -> None:
    evidence = table_of(models.Evidence)
    await change(own_demo, sa.update(evidence).values(stored_at=NOW))
    by_plan, by_core = [await noted(graph, own_demo, COMMANDER, query, planned=planned) for planned in (True, False)]
    assert by_plan == by_core
    [(identity, disclosures, operation)] = by_plan
    assert (identity, operation) == (COMMANDER.identity, "Zone" if "Zone" in query else None)
    assert disclosures
    assert by_plan[0][1] == (await noted(graph, own_demo, READER, query, planned=True))[0][1]


@pytest.mark.parametrize("planned", [True, False])
async def test_what_is_noted_is_what_was_read(graph: Graph, demo: Database, planned: bool) -> None:
    response = await executor(graph, demo, Kept()).run(Operation(QUERIES["contacts"]), COMMANDER)
    read = [node_id.decode(node["id"])[1] for node in orjson.loads(response.json())["data"]["enterprises"]["nodes"]]
    [(_, disclosures, _)] = await noted(graph, demo, COMMANDER, QUERIES["contacts"], planned=planned)
    assert (len(read), disclosures) == (5, {(AccessKind.CONTACTS, key) for key in read})
    async with demo.read() as connection:
        cameras = set((await connection.execute(sa.select(table_of(models.Camera).c.enterprise_id))).scalars()) - {None}
    watched = "{ nearby(point: {latitude: 30.2, longitude: 120.3}, kinds: [CAMERA], first: 1000) { item { "
    watched += "... on Camera { streamUrl } } } }"
    [(_, disclosures, _)] = await noted(graph, demo, COMMANDER, watched, planned=planned)
    assert disclosures == {(AccessKind.CAMERAS, key) for key in cameras}


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize("query", [*QUERIES.values(), *NOTHING.values()])
async def test_who_reads_no_personal_data_of_others_is_not_noted(
    graph: Graph, demo: Database, query: str, planned: bool
) -> None:
    for viewer in (WALL, enterprise(1), *([COMMANDER] if query in NOTHING.values() else [])):
        assert await noted(graph, demo, viewer, query, planned=planned) == []


async def test_each_reader_of_a_stream_is_noted_once_for_an_event(graph: Graph, demo: Database) -> None:
    kept = Kept()
    live = make_streams(executor(graph, demo, kept), demo, lambda: NOW)
    query = "subscription Screen { updates { kind enterprise { safetyContact { phone } } } }"
    event = table_of(models.Event)
    async with demo.read() as connection:
        [row] = await connection.execute(sa.select(event).where(event.c.enterprise_id.is_not(None)).limit(1))

    class Received:
        def __init__(self) -> None:
            self.messages: list[Message] = []

        def send(self, message: Message) -> None:
            self.messages.append(message)

        async def drained(self) -> None: ...
        def fail(self, error: Exception) -> None: ...

    await live.feed.start()
    sinks = [Received() for _ in range(3)]
    for sink, viewer in zip(sinks, (COMMANDER, READER, WALL), strict=True):
        prepared = await live.prepare(await live._executor.prepare(Operation(query), viewer), viewer)
        prepared.join(sink)
    for group in list(live.feed.groups.values()):
        message = await live.feed.rendered(group.key, group.topic, row)
        for member in group.members:
            member.send(message)
    await live.stop()
    assert [len(sink.messages) for sink in sinks] == [1, 1, 1]
    disclosed = {(AccessKind.CONTACTS, row.enterprise_id)}
    assert sorted(kept.noted) == sorted((v.identity, disclosed, "Screen") for v in (COMMANDER, READER))


async def test_each_reader_of_a_stream_of_states_is_noted(graph: Graph, demo: Database) -> None:
    hazard = table_of(models.Hazard)
    async with demo.read() as connection:
        [row] = await connection.execute(sa.select(hazard).limit(1))
    kept = Kept()
    live = make_streams(executor(graph, demo, kept), demo, lambda: NOW)
    contact = "item { ... on Hazard { enterprise { safetyContact { phone } } } }"
    query = f'subscription Desk($item: ID) {{ presence(desk: "a", item: $item) {{ {contact} }} }}'
    operation = Operation(query, {"item": node_id.encode("Hazard", row.id)})
    sink = Sink()
    (await live.prepare(await live._executor.prepare(operation, COMMANDER), COMMANDER)).join(sink)
    await sink.next()
    await live.stop()
    assert kept.noted == [(COMMANDER.identity, {(AccessKind.CONTACTS, row.enterprise_id)}, "Desk")]


# -- writing --


async def written(database: Database) -> list[Any]:
    async with database.read() as connection:
        return list(await connection.execute(sa.select(ACCESS).order_by(ACCESS.c.id)))


async def test_equal_accesses_are_one_row_with_a_count(own_demo: Database) -> None:
    log = AccessLog(own_demo, lambda: NOW, days=183)
    for _ in range(3):
        log.note(COMMANDER, [(AccessKind.CONTACTS, 1), (AccessKind.CAMERAS, 2)], "File")
    log.note(READER, [(AccessKind.CONTACTS, 1)], None)
    await log.flush()
    rows = [
        (r.at, r.identity, r.role, r.enterprise_id, r.what.name, r.operation, r.count) for r in await written(own_demo)
    ]
    commander = (NOW, COMMANDER.identity, Role.COMMANDER)
    assert sorted(rows, key=lambda r: (r[3], str(r[5]))) == [
        (*commander, 1, "CONTACTS", "File", 3),
        (NOW, READER.identity, Role.INTEGRATOR, 1, "CONTACTS", None, 1),
        (*commander, 2, "CAMERAS", "File", 3),
    ]
    await log.flush()
    assert (len(await written(own_demo)), log.written, log.dropped, log.pending) == (3, 3, 0, 0)


async def test_evidence_belongs_to_the_enterprises_of_its_hazards_and_inspections(own_demo: Database) -> None:
    evidence, link, hazard = table_of(models.Evidence), table_of(models.HazardEvidence), table_of(models.Hazard)
    joined = sa.select(evidence.c.sha256, hazard.c.enterprise_id).join_from(evidence, link).join(hazard).limit(1)
    async with own_demo.read() as connection:
        [(sha256, key)] = await connection.execute(joined)
    log = AccessLog(own_demo, lambda: NOW, days=183)
    log.note(None, [(AccessKind.EVIDENCE, sha256), (AccessKind.EVIDENCE, "0" * 64)], access_log.EVIDENCE_OPERATION)
    await log.stop()
    [row] = [r for r in await written(own_demo) if r.enterprise_id == key]
    assert (row.identity, row.role, row.what, row.operation) == (None, None, AccessKind.EVIDENCE, "GET /evidence")


async def test_nothing_is_lost_while_the_database_is_away(own_demo: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AccessLog(own_demo, lambda: NOW, days=183)
    log.note(COMMANDER, [(AccessKind.CONTACTS, 1)], None)
    with monkeypatch.context() as patch:

        def away() -> Any:
            raise OSError("away")

        patch.setattr(own_demo, "write", away)
        await log.flush()
        log.note(COMMANDER, [(AccessKind.CONTACTS, 1)], None)
        await log.flush()
    assert (log.pending, log.written, log.dropped) == (1, 0, 0)
    await log.flush()
    assert [row.count for row in await written(own_demo)] == [2]


async def test_what_cannot_be_held_is_counted(own_demo: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "PENDING_MAXIMUM", 2)
    log = AccessLog(own_demo, lambda: NOW, days=183)
    for key in (1, 2, 3, 1, 4):
        log.note(COMMANDER, [(AccessKind.CONTACTS, key)], None)
    assert (log.pending, log.dropped) == (2, 2)
    await log.flush()
    assert sorted((row.enterprise_id, row.count) for row in await written(own_demo)) == [(1, 2), (2, 1)]


async def test_old_accesses_are_removed_once_a_day(own_demo: Database) -> None:
    now = NOW
    log = AccessLog(own_demo, lambda: now, days=10)
    for _ in range(3):
        log.note(COMMANDER, [(AccessKind.CONTACTS, 1)], None)
        await log.flush()
        now += dt.timedelta(days=6)
    assert [row.at for row in await written(own_demo)] == [NOW + dt.timedelta(days=6), NOW + dt.timedelta(days=12)]


async def test_no_code_in_an_export_is_a_formula(own_demo: Database) -> None:
    log = AccessLog(own_demo, lambda: NOW, days=183)
    log.note(COMMANDER, [(AccessKind.CONTACTS, 1)], "File")
    await log.flush()
    first = table_of(models.Enterprise)
    async with own_demo.write() as session:
        await session.execute(sa.update(first).where(first.c.id == 1).values(credit_code=None, external_id="=1+1"))
    text = io.StringIO()
    await access_log.export(own_demo, None, None, text, lines_of_json=False)
    [row] = csv.DictReader(io.StringIO(text.getvalue()))
    assert row["enterprise"] == "'=1+1"


async def test_an_export_names_enterprises_by_their_codes_alone(own_demo: Database) -> None:
    log = AccessLog(own_demo, lambda: NOW, days=183)
    log.note(COMMANDER, [(AccessKind.CONTACTS, 1)], "File")
    await log.flush()
    async with own_demo.read() as connection:
        first = table_of(models.Enterprise)
        [code] = (await connection.execute(sa.select(first.c.credit_code).where(first.c.id == 1))).scalars()
    text = io.StringIO()
    assert await access_log.export(own_demo, NOW, NOW + dt.timedelta(days=1), text, lines_of_json=False) == 1
    [row] = csv.DictReader(io.StringIO(text.getvalue()))
    assert row == {
        "at": NOW.isoformat(),
        "identity": COMMANDER.identity,
        "role": "COMMANDER",
        "enterprise": code,
        "what": "CONTACTS",
        "operation": "File",
        "count": "1",
    }
    lines = io.StringIO()
    assert await access_log.export(own_demo, None, None, lines, lines_of_json=True) == 1
    assert orjson.loads(lines.getvalue())["enterprise"] == code
    assert await access_log.export(own_demo, None, NOW, io.StringIO(), lines_of_json=True) == 0
    assert await access_log.export(own_demo, NOW + dt.timedelta(days=1), None, io.StringIO(), lines_of_json=True) == 0
