"""A filter selects the same events in memory and in SQL, on both databases."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from models import EventKind, RiskGrade, Subject
from models.db.database import Database
from schema.types import node_id
from subscriptions import event_log
from subscriptions.event_filter import EventFilter
from tests.conftest import NOW, Ask, Databases
from tests.support.proof_mode import examples
from tests.support.proofs import RecordProof

# Few keys, so that sets intersect, and some that begin or end like others, so that their texts could be confused.
ZONES, RINGS, VENUES, ENTERPRISES = (1, 2, 12), (1, 2, 11, 12, 21, 112), (1, 3, 13, 31), (1, 2, 3)
KINDS = (EventKind.HAZARD_FOUND, EventKind.HAZARD_CLOSED, EventKind.CASE_FILED, EventKind.WARNING_RAISED)
NOBODYS = 99


def keys(of: Sequence[int]) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.sampled_from(of))


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(KINDS))
    return {
        "at": NOW + dt.timedelta(seconds=draw(st.integers(0, 9))),
        "kind": kind,
        "subject": kind.subject,
        "enterprise_id": draw(st.none() | st.sampled_from(ENTERPRISES)),
        "zone_id": draw(st.none() | st.sampled_from(ZONES)),
        "zones": draw(keys(ZONES)),
        "rings": draw(keys(RINGS)),
        "venues": draw(keys(VENUES)),
        "risk": draw(st.none() | st.sampled_from(RiskGrade)),
        "major": draw(st.booleans()),
    }


def wanted(of: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Usually no condition, else a set, perhaps an empty one."""
    return st.none() | st.none() | st.frozensets(st.sampled_from(of))


INTERESTS = st.builds(
    EventFilter,
    zones=wanted((*ZONES, NOBODYS)),
    rings=wanted((*RINGS, NOBODYS)),
    venues=wanted((*VENUES, NOBODYS)),
    enterprises=wanted((*ENTERPRISES, NOBODYS)),
    kinds=wanted(KINDS),
    subjects=wanted((Subject.HAZARD, Subject.CASE, Subject.WARNING, Subject.TEAM)),
    minimum_risk=st.none() | st.sampled_from(RiskGrade),
    major_only=st.booleans(),
    own=st.none() | st.none() | st.sampled_from((*ENTERPRISES, NOBODYS)),
)


@pytest_asyncio.fixture(scope="module")
async def places(databases: Databases, migrated_url: str) -> Any:
    """A database with the zones and enterprises of the events."""
    made = Database(await databases.new(migrated_url))
    async with made.write() as session:
        session.add(models.District(id=1, name="萧山"))
        await session.flush()
        session.add_all(
            models.Zone(id=key, district_id=1, code=str(key), name="", focus=[], plan="", boundary={}) for key in ZONES
        )
        session.add_all(models.Enterprise(id=key, name="") for key in ENTERPRISES)
    yield made
    await made.close()


async def chosen(
    database: Database, given: list[dict[str, Any]], interests: Sequence[EventFilter], compared: Counter[str]
) -> None:
    """Assert that SQL and memory select the same of these events, and count them. Leaves the database unchanged."""
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        await connection.execute(sa.insert(event_log.EVENT), given)
        rows = (await connection.execute(sa.select(event_log.EVENT).order_by(event_log.EVENT.c.id))).all()
        assert len(rows) == len(given)
        for event_filter in interests:
            statement = (
                sa.select(event_log.EVENT.c.id)
                .where(*event_filter.conditions(database.sqlite))
                .order_by(event_log.EVENT.c.id)
            )
            by_sql = list((await connection.execute(statement)).scalars())
            assert by_sql == [row.id for row in rows if event_filter.matches(row)], event_filter
            compared.update(interests=1, events=len(rows), chosen=len(by_sql))
        await transaction.rollback()


@pytest.fixture
def compared() -> Counter[str]:
    """Counts what a test has compared in all of its examples."""
    return Counter()


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_=st.lists(events(), min_size=1, max_size=12), interests=st.lists(INTERESTS, min_size=1, max_size=6))
async def test_memory_and_sql_select_the_same_events(
    places: Database,
    compared: Counter[str],
    record_proof: RecordProof,
    given_: list[dict[str, Any]],
    interests: list[EventFilter],
) -> None:
    await chosen(places, given_, interests, compared)
    record_proof(
        "interest",
        "The same events chosen in memory and in SQL",
        {
            "database": "SQLite" if places.sqlite else "PostgreSQL",
            "interests": f"{compared['interests']:,}",
            "events compared": f"{compared['events']:,}",
            "chosen": f"{compared['chosen']:,}",
        },
    )


def an_event(**given: Any) -> dict[str, Any]:
    kind = given.pop("kind", EventKind.HAZARD_FOUND)
    nothing: dict[str, Any] = {name: frozenset() for name in ("zones", "rings", "venues")}
    empty = {"enterprise_id": None, "zone_id": None, "risk": None, "major": False}
    return {"at": NOW, "kind": kind, "subject": kind.subject, **empty, **nothing, **given}


async def matching(database: Database, event_filter: EventFilter, *given: dict[str, Any]) -> list[int]:
    """The indexes of the events that match. Asserts that memory and SQL agree."""
    await chosen(database, list(given), [event_filter], Counter())
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        await connection.execute(sa.insert(event_log.EVENT), list(given))
        rows = (await connection.execute(sa.select(event_log.EVENT).order_by(event_log.EVENT.c.id))).all()
        await transaction.rollback()
    return [place for place, row in enumerate(rows) if event_filter.matches(row)]


async def test_no_condition_matches_all(places: Database) -> None:
    assert await matching(places, EventFilter(), an_event(), an_event(zones=frozenset({1}), major=True)) == [0, 1]


async def test_an_empty_set_matches_nothing(places: Database) -> None:
    everything = an_event(
        enterprise_id=1,
        zones=frozenset(ZONES),
        rings=frozenset(RINGS),
        venues=frozenset(VENUES),
        risk=RiskGrade.RED,
        major=True,
    )
    for name in ("zones", "rings", "venues", "enterprises", "kinds", "subjects"):
        nothing: dict[str, Any] = {name: frozenset()}
        assert await matching(places, EventFilter(**nothing), everything, an_event()) == [], name


async def test_a_move_matches_its_old_and_its_new_place(places: Database) -> None:
    moved = an_event(
        kind=EventKind.ENTERPRISE_CHANGED,
        enterprise_id=1,
        zone_id=2,
        zones=frozenset({1, 2}),
        rings=frozenset({1, 21}),
        venues=frozenset({1, 13}),
    )
    stayed = an_event(zone_id=12, zones=frozenset({12}), rings=frozenset({12, 112}), venues=frozenset({3, 31}))
    for zone, place in ((1, [0]), (2, [0]), (12, [1])):
        assert await matching(places, EventFilter(zones=frozenset({zone})), moved, stayed) == place
    assert await matching(places, EventFilter(rings=frozenset({21})), moved, stayed) == [0]
    assert await matching(places, EventFilter(venues=frozenset({1, 31})), moved, stayed) == [0, 1]


async def test_a_key_does_not_match_a_longer_key(places: Database) -> None:
    event = an_event(zones=frozenset({12}), rings=frozenset({112, 21}), venues=frozenset({13}))
    for name, key in (("zones", 1), ("zones", 2), ("rings", 11), ("rings", 12), ("rings", 2), ("venues", 3)):
        other: dict[str, Any] = {name: frozenset({key})}
        assert await matching(places, EventFilter(**other), event) == []
    assert await matching(places, EventFilter(rings=frozenset({2, 112})), event) == [0]


async def test_an_event_without_risk_is_below_every_grade(places: Database) -> None:
    graded = [an_event(risk=risk) for risk in (None, *RiskGrade)]
    assert await matching(places, EventFilter(minimum_risk=RiskGrade.BLUE), *graded) == [1, 2, 3, 4]
    assert await matching(places, EventFilter(minimum_risk=RiskGrade.ORANGE), *graded) == [3, 4]


async def test_many_keys_fit_into_one_statement(places: Database) -> None:
    """As many as a request can name. They reach no limit on a statement's depth or parameters."""
    many = frozenset(range(1_000, 61_000))
    event = an_event(enterprise_id=2, zones=frozenset({2}), rings=frozenset({2}), venues=frozenset({3}))
    for name in ("zones", "rings", "venues", "enterprises"):
        others: dict[str, Any] = {name: many}
        own: dict[str, Any] = {name: many | {2, 3}}
        assert await matching(places, EventFilter(**others), event) == []
        assert await matching(places, EventFilter(**own), event) == [0]


async def test_all_conditions_must_hold(places: Database) -> None:
    event = an_event(
        enterprise_id=1,
        zones=frozenset({1}),
        rings=frozenset({1}),
        venues=frozenset({1}),
        risk=RiskGrade.RED,
        major=True,
    )
    full: dict[str, Any] = {
        "zones": frozenset({1}),
        "rings": frozenset({1}),
        "venues": frozenset({1}),
        "enterprises": frozenset({1}),
        "kinds": frozenset({EventKind.HAZARD_FOUND}),
        "subjects": frozenset({Subject.HAZARD}),
        "minimum_risk": RiskGrade.RED,
        "major_only": True,
        "own": 1,
    }
    assert await matching(places, EventFilter(**full), event) == [0]
    other: dict[str, Any] = {
        "zones": frozenset({2}),
        "rings": frozenset({2}),
        "venues": frozenset({3}),
        "enterprises": frozenset({2}),
        "kinds": frozenset({EventKind.CASE_FILED}),
        "subjects": frozenset({Subject.CASE}),
        "own": 2,
    }
    for name, value in other.items():
        assert await matching(places, EventFilter(**{**full, name: value}), event) == [], name
    assert await matching(places, EventFilter(**full), {**event, "risk": RiskGrade.ORANGE}) == []
    assert await matching(places, EventFilter(**full), {**event, "major": False}) == []


async def test_the_graph_filters_the_log_alike(demo: Database, ask: Ask) -> None:
    """In the whole log, and in the timelines of several enterprises in one statement."""
    zones, rings = frozenset({1, 2}), frozenset(range(1, 30))
    async with demo.read() as connection:
        rows = await event_log.after(connection, 0, 10_000)
    of = "totalCount nodes { cursor } pageInfo { endCursor }"
    given = {"zones": [node_id.encode("Zone", key) for key in zones], "minimumRisk": "YELLOW"}
    data = await ask(f"query ($f: UpdateFilter) {{ events(first: 1000, filter: $f) {{ {of} }} }}", f=given)
    wanted = [row for row in rows if EventFilter(zones=zones, minimum_risk=RiskGrade.YELLOW).matches(row)]
    assert data["events"]["totalCount"] == len(wanted) > 100
    assert [int(n["cursor"].split("-")[1]) for n in data["events"]["nodes"]] == [row.id for row in wanted][:1000]

    inside = EventFilter(rings=rings)
    timeline = f"timeline(first: 9, filter: $f) {{ {of} }}"
    data = await ask(
        f"query ($f: UpdateFilter) {{ enterprises(first: 40) {{ nodes {{ id {timeline} }} }} }}",
        f={"rings": [node_id.encode("ControlRing", key) for key in rings]},
    )
    count = 0
    for enterprise in data["enterprises"]["nodes"]:
        key = node_id.key_of(enterprise["id"], "Enterprise")
        own = [row.id for row in rows if row.enterprise_id == key and inside.matches(row)]
        assert enterprise["timeline"]["totalCount"] == len(own)
        assert [int(n["cursor"].split("-")[1]) for n in enterprise["timeline"]["nodes"]] == own[::-1][:9]
        count += len(own)
    assert count > 10
