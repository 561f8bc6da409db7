"""Answers that are given again are those that would be made anew, whatever was written, and whenever they are asked."""

import gc
import weakref
from collections.abc import AsyncIterator
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models import EventKind
from models.db.database import Database
from resolvers.actions.change_tracker import ANY_EVENT_MODELS, OWN_EVENT_MODELS
from resolvers.sql import authorization
from resolvers.sql.predicates import Equal, Within
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.plan import cache
from schema.plan.result_cache import BESIDES, ResultCache
from subscriptions import event_log
from tests.conftest import NOW, SHANGHAI, Databases
from tests.resolvers.actions.test_errors import furnished
from tests.support import lifecycle_table
from tests.support.actors import DUTY, log_after
from tests.support.district import opened
from tests.support.proof_mode import PROVING
from tests.support.proofs import record
from tests.support.random_history import WEIGHTS, RandomHistory
from tests.support.reuse_executors import CHANGING, LASTING, Readers
from tests.support.sample_values import forgotten
from tests.support.worker_handle import settings_url

WRITES = 2_000 if PROVING else 60
BATCH = 40 if PROVING else 20  # writes while the same is asked
RANDOM, OTHERS = (6, 2) if PROVING else (4, 1)  # of what is asked meanwhile: what lasts, and anything
MUTATIONS = 45 if PROVING else 20  # of all so many are accepted at some time


@pytest_asyncio.fixture(scope="module")
async def readers(databases: Databases, migrated_url: str, graph: Graph) -> AsyncIterator[Readers]:
    database = Database(await databases.new(migrated_url))
    office = await opened(graph, database)
    await furnished(office)
    elsewhere = Database(settings_url(database), pool_size=2)
    yield Readers(graph, database, elsewhere, office.world)
    await elsewhere.close()
    await database.close()


@pytest_asyncio.fixture(scope="module")
async def happenings(readers: Readers) -> AsyncIterator[RandomHistory]:
    made = RandomHistory(readers.desk, readers.world, Random(11))
    yield made
    made.close()


# -- whatever happens --


async def test_what_is_given_again_is_what_would_be_made_anew(readers: Readers, happenings: RandomHistory) -> None:
    for first in range(0, WRITES, 5 * BATCH):
        with forgotten():
            for number in range(first, min(first + 5 * BATCH, WRITES)):
                if number % BATCH == 0:
                    await readers.ask_others(RANDOM, OTHERS)
                await happenings.next(readers.compare_some)
                await readers.compare_all()


async def test_much_happened(readers: Readers, happenings: RandomHistory) -> None:
    """In the test before: else it would have shown nothing."""
    accepted, refused = happenings.answers["accepted"], happenings.refused
    done = {mutation for mutation, times in happenings.done.items() if times}
    told = {event.kind for event in await log_after(readers.database)}
    assert accepted > refused
    assert len(done) >= MUTATIONS
    assert told >= {EventKind.REGISTER_IMPORTED, EventKind.WARNING_RAISED}
    assert min(readers.found["given again"], readers.found["given again elsewhere"]) > readers.found["asked"] / 10
    if PROVING:
        assert happenings.kinds.keys() >= {*WEIGHTS, "imports_ended_early", "orphans"}
        assert EventKind.WARNING_LIFTED in told
    record(
        "reuse",
        "Answers given again, each compared with one made anew, between random writes",
        {
            "database": "SQLite" if readers.database.sqlite else "PostgreSQL",
            "happenings": f"{WRITES:,}",
            "actions accepted": f"{accepted:,}",
            "refused": f"{refused:,}",
            "of the mutations accepted": f"{len(done)} of {len(lifecycle_table.MUTATIONS)}",
            "imports": f"{happenings.kinds['imports'] + happenings.kinds['imports_in_part']:,}",
            "ended early": f"{happenings.kinds['imports_ended_early']:,}",
            **{name: f"{times:,}" for name, times in sorted(readers.found.items())},
            "different": 0,
        },
    )


async def test_much_is_given_again(readers: Readers) -> None:
    """Each plain query of each who may read at all."""
    for query in LASTING:
        for viewer in readers.viewers[:-1]:
            await readers.compare(query, {}, viewer)
            before = readers.found["given again"], readers.found["given again elsewhere"]
            await readers.compare(query, {}, viewer)
            after = readers.found["given again"], readers.found["given again elsewhere"]
            assert after == (before[0] + 1, before[1] + 1), (query, viewer)


@pytest.mark.parametrize("query", CHANGING)
async def test_what_may_change_without_an_event_is_never_kept(readers: Readers, query: str) -> None:
    before = len(readers.answers._kept)
    for _ in range(2):
        answer = await readers.reusing.run(Operation(query), DUTY)
        assert answer.started, answer.errors
    assert len(readers.answers._kept) == before


async def test_days_are_those_of_the_zone_that_it_is_asked_in(readers: Readers) -> None:
    query = '{ hazards(filter: {foundSince: "2026-06-15"}) { totalCount } }'
    zones = [ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")]
    running = Executor(readers.graph, readers.database, lambda: zones[0], lambda: NOW, reuse=True)
    found = []
    for _ in range(4):
        found.append((await running.run(Operation(query), DUTY)).written)
        zones.reverse()
    assert found[:2] == found[2:]
    assert found[0] != found[1]
    assert running.plans is not None
    assert running.plans.answers is not None
    assert running.plans.answers.reused == 2


async def test_a_restore_is_noticed_though_the_log_ends_with_the_same_number(readers: Readers) -> None:
    team: Any = models.Team.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
    query = "{ teams { nodes { name } } }"
    for number in range(2):
        async with readers.database.write() as session:
            await session.execute(sa.update(team).values(name=f"队{number}"))
            await event_log.renew_epoch(session, f"{number:0>16x}")
        before = readers.found["given again"]
        await readers.compare(query, {}, DUTY)
        await readers.compare(query, {}, DUTY)
        assert readers.found["given again"] == before + 1


async def test_rows_that_are_only_counted_must_last_as_well(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    query, viewer = "{ warehouses { totalCount pageInfo { hasNextPage } } }", readers.world.own
    assert readers.lasts(query, {}, viewer)
    # Which of them an enterprise has is decided here by rows that change without an event.
    attached = Within(models.Warehouse.id, models.Evidence.id, Equal(models.Evidence.bytes))
    monkeypatch.setitem(authorization.OWN, models.Warehouse, attached)
    assert not readers.lasts(query, {}, viewer)
    assert readers.lasts(query, {}, DUTY)


def test_guarded_and_following_tables_have_each_a_reason() -> None:
    """What comes new is taken to change at any time until somebody says otherwise."""
    known_tables = {model.__table__.name for model in OWN_EVENT_MODELS + ANY_EVENT_MODELS}
    others = {name for name in models.Event.metadata.tables if name not in known_tables}
    assert others == {
        "client_mutation",
        "event",
        "event_log",
        "evidence",
        "evidence_upload",
        "hazard_evidence",
        "inspection_evidence",
        "rainfall_reading",
    }


# -- how much is kept --


async def test_no_more_is_kept_than_may_be(readers: Readers) -> None:
    answers = ResultCache(readers.database.read_pool, sqlite=readers.database.sqlite, most=20 * BESIDES)

    async def work(fetch: Any) -> bytes:
        return b"x" * 500

    for number in range(50):
        assert await answers.get(("k", str(number).encode(), None), work) == b"x" * 500
        assert answers.bytes <= 20 * BESIDES
    assert len(answers._kept) == 13
    reused = answers.reused
    await answers.get(("k", b"49", None), work)
    await answers.get(("k", b"0", None), work)
    assert answers.reused == reused + 1

    async def long(fetch: Any) -> bytes:
        return b"x" * 10 * BESIDES

    await answers.get(("k", b"49", "long"), long)
    assert len(answers._kept) == 13


async def test_an_answer_keeps_no_document(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or many short answers would keep many long documents, with all their plans."""
    monkeypatch.setattr(cache, "OPERATIONS_KEPT", 3)
    running = Executor(readers.graph, readers.database, lambda: SHANGHAI, lambda: NOW, reuse=True)
    plans, known = running.plans, []
    assert plans is not None
    assert plans.answers is not None
    for number in range(10):
        query = f"{{ a{number}: district {{ name }} }}"
        for again in range(2):
            assert (await running.run(Operation(query), DUTY)).written is not None
            assert plans.answers.reused == number + again
        known.append(weakref.ref(plans.known(query, None)))
    gc.collect()
    assert [one() is not None for one in known] == [False] * 7 + [True] * 3
