"""Walking a list by its pages gives each row once and in the list's order, both ways, whatever happens meanwhile."""

import base64
import dataclasses
import itertools
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlmodel import col

import models
from models.db.database import Database
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import COMMANDER, NOW, Databases, close_for_copying, make_executor
from tests.support.connection_reference import LISTINGS, ORDERED, Listing, rows_of
from tests.support.proof_mode import examples

few = settings(
    max_examples=examples(4),
    deadline=None,
    phases=[Phase.generate],  # a walk that fails is slow, and as telling as the shortest that fails
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
sizes = st.lists(st.integers(1, 60), min_size=1, max_size=5)

# So that every order has ties and, where it can, nulls.
CROWDING = [
    sa.update(models.Enterprise).where(col(models.Enterprise.id) % 3 == 0).values(name="同名", updated_at=NOW),
    sa.update(models.Enterprise).where(col(models.Enterprise.id) % 4 == 0).values(risk_grade=None),
    sa.update(models.Enterprise).where(col(models.Enterprise.id) % 5 < 2).values(last_inspected_at=None),
    sa.update(models.Hazard).where(col(models.Hazard.id) % 3 == 0).values(found_at=NOW),
    sa.update(models.Hazard).where(col(models.Hazard.id) % 4 == 0).values(deadline=None),
    sa.update(models.Hazard).where(col(models.Hazard.id) % 4 == 1).values(deadline=NOW),
    sa.update(models.Inspection).where(col(models.Inspection.id) % 3 == 0).values(planned_for=None),
    sa.update(models.Inspection).where(col(models.Inspection.id) % 4 == 0).values(submitted_at=NOW),
    sa.update(models.Warning).where(col(models.Warning.id) % 2 == 0).values(issued_at=NOW),
]


@pytest_asyncio.fixture(scope="module")
async def crowd(databases: Databases, demo_url: str) -> AsyncIterator[Database]:
    made = Database(await databases.new(demo_url))
    async with made.write() as session:
        for statement in CROWDING:
            await session.execute(statement)
    yield made
    await close_for_copying(made)


@pytest_asyncio.fixture(scope="module")
async def known(crowd: Database) -> dict[Any, list[Any]]:
    """The rows of each table, read plainly."""
    return {model: await rows_of(crowd, model) for model in {listing.model for listing in LISTINGS}}


class Walk:
    """Goes through a list, page by page."""

    def __init__(self, running: Executor, listing: Listing, backward: bool, given: str = "") -> None:
        size, cursor = ("last", "before") if backward else ("first", "after")
        self._query = (
            f"query($n: Int!, $at: String) {{ {listing.field}({listing.arguments}{given}{size}: $n, {cursor}: $at)"
            " { nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"
        )
        self._running, self._field, self._backward = running, listing.field, backward
        self.at: str | None = None
        self.more = True

    async def page(self, size: int) -> list[str]:
        """The ids of the next rows in the direction of the walk."""
        answer = await self._running.run(Operation(self._query, {"n": size, "at": self.at}), COMMANDER)
        assert answer.errors == []
        assert answer.data is not None
        found = answer.data[self._field]
        info, rows = found["pageInfo"], [node["id"] for node in found["nodes"]]
        assert len(rows) <= size
        begun = self.at is not None
        assert info["hasNextPage" if self._backward else "hasPreviousPage"] == begun
        self.more = info["hasPreviousPage" if self._backward else "hasNextPage"]
        assert len(rows) == size or not self.more
        self.at = info["startCursor" if self._backward else "endCursor"]
        return rows[::-1] if self._backward else rows

    async def all(self, by: list[int]) -> list[str]:
        found: list[str] = []
        for size in itertools.islice(itertools.cycle(by), 400):
            found += await self.page(size)
            if not self.more:
                return found
        raise AssertionError("the walk has no end")


@pytest.mark.parametrize("listing", LISTINGS, ids=str)
@few
@given(by=sizes, backward=st.booleans())
async def test_a_walk_gives_each_row_once_and_in_order(
    graph: Graph, crowd: Database, known: dict[Any, list[Any]], listing: Listing, by: list[int], backward: bool
) -> None:
    rows, given = known[listing.model], ""
    if len(rows) > 300:
        # A few enterprises' rows are as good as all, and a filter must not disturb a walk.
        some = sorted({row.enterprise_id for row in rows})[:12]
        rows = [row for row in rows if row.enterprise_id in some]
        given = f"filter: {{enterprises: {orjson.dumps([node_id.encode('Enterprise', e) for e in some]).decode()}}}, "
    wanted = [listing.id(row) for row in listing.sorted(rows)]
    assert await Walk(make_executor(graph, crowd), listing, backward, given).all(by) == (
        wanted[::-1] if backward else wanted
    )


@pytest.mark.parametrize("listing", [one for one in LISTINGS if one.field == "hazards"], ids=str)
async def test_all_hazards_by_a_hundred(
    graph: Graph, crowd: Database, known: dict[Any, list[Any]], listing: Listing
) -> None:
    wanted = [listing.id(row) for row in listing.sorted(known[models.Hazard])]
    assert len(wanted) > 1000
    assert await Walk(make_executor(graph, crowd), listing, backward=False).all([100]) == wanted


def enterprise(number: int, example: models.Enterprise, **changed: Any) -> models.Enterprise:
    """One more like the example, so that it lies beside it in every order."""
    values = {c: getattr(example, c) for c in ("name", "risk_grade", "open_hazards", "last_inspected_at", "updated_at")}
    return models.Enterprise(id=number, **{**values, **changed})


@pytest.mark.parametrize("listing", [one for one in LISTINGS if one.field == "enterprises"], ids=str)
@few
@given(data=st.data(), backward=st.booleans())
async def test_rows_that_come_and_go_do_not_disturb_a_walk(
    graph: Graph, crowd: Database, known: dict[Any, list[Any]], listing: Listing, data: st.DataObject, backward: bool
) -> None:
    """Every row that was there throughout is seen once, in order; none is seen twice."""
    lasting = known[models.Enterprise]
    lasting_ones = st.sampled_from(lasting)
    numbers = itertools.count(100_000)
    mortal = {n: enterprise(n, data.draw(lasting_ones)) for n in itertools.islice(numbers, 6)}
    async with crowd.write() as session:
        session.add_all(mortal.values())
    seen: list[str] = []
    walk = Walk(make_executor(graph, crowd), listing, backward)
    try:
        while walk.more:
            assert len(seen) < 2 * len(lasting)
            seen += await walk.page(data.draw(st.integers(10, 40)))
            async with crowd.write() as session:
                if mortal:
                    victim = data.draw(st.sampled_from(sorted(mortal)))
                    await session.execute(sa.delete(models.Enterprise).where(col(models.Enterprise.id) == victim))
                    del mortal[victim]
                session.add(enterprise(next(numbers), data.draw(lasting_ones)))
    finally:
        async with crowd.write() as session:
            await session.execute(sa.delete(models.Enterprise).where(col(models.Enterprise.id) >= 100_000))
    assert len(seen) == len(set(seen))
    wanted = [listing.id(row) for row in listing.sorted(lasting)]
    throughout = set(wanted)
    assert [one for one in seen if one in throughout] == (wanted[::-1] if backward else wanted)


async def test_a_cursor_outlives_its_row(graph: Graph, own_demo: Database) -> None:
    listing = ORDERED[0]
    wanted = [listing.id(row) for row in listing.sorted(await rows_of(own_demo, models.Enterprise))]
    async with own_demo.write() as session:
        last = listing.sorted(await rows_of(own_demo, models.Enterprise))[9]
        session.add(enterprise(100_000, last))
    walk = Walk(make_executor(graph, own_demo), listing, backward=False)
    assert await walk.page(11) == [*wanted[:10], node_id.encode("Enterprise", 100_000)]
    async with own_demo.write() as session:
        await session.execute(sa.delete(models.Enterprise).where(col(models.Enterprise.id) == 100_000))
    assert await walk.page(20) == wanted[10:30]


@pytest.mark.parametrize("listing", [*ORDERED, *(one for one in LISTINGS if one.field == "warnings")], ids=str)
@few
@given(data=st.data(), size=st.integers(1, 30), backward=st.booleans())
async def test_each_of_many_parents_has_its_own_page(
    graph: Graph,
    crowd: Database,
    known: dict[Any, list[Any]],
    listing: Listing,
    data: st.DataObject,
    size: int,
    backward: bool,
) -> None:
    """With a cursor from anywhere, which cuts every parent's list at the same place."""
    zone_of = {row.id: row.zone_id for row in known[models.Enterprise]}
    parent = {r.id: r.zone_id if hasattr(r, "zone_id") else zone_of[r.enterprise_id] for r in known[listing.model]}
    at = data.draw(st.none() | st.sampled_from(known[listing.model]))
    count, cursor = ("last", "before") if backward else ("first", "after")
    query = (
        f"query($n: Int!, $at: String) {{ zones {{ id {listing.field}({listing.arguments}{count}: $n, {cursor}: $at)"
        " { nodes { id } pageInfo { hasNextPage hasPreviousPage } } } }"
    )
    running = make_executor(graph, crowd)
    variables = {"n": size, "at": None if at is None else await cursor_of(running, listing, at, known)}
    answer = await running.run(Operation(query, variables), COMMANDER)
    assert answer.errors == []
    assert answer.data is not None
    assert len(answer.data["zones"]) == 4
    for zone in answer.data["zones"]:
        rows = listing.sorted([r for r in known[listing.model] if parent[r.id] == node_id.key_of(zone["id"], "Zone")])
        if at is not None:
            inside = [(listing.place(r) < listing.place(at)) == (backward is not listing.descending) for r in rows]
            rows = [r for r, kept in zip(rows, inside, strict=True) if kept and r.id != at.id]
        wanted = rows[-size:] if backward else rows[:size]
        found = zone[listing.field]
        assert [node["id"] for node in found["nodes"]] == [listing.id(row) for row in wanted]
        assert found["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"] == (len(rows) > size)


async def cursor_of(running: Executor, listing: Listing, row: Any, known: dict[Any, list[Any]]) -> str:
    """The cursor that the list itself gives for a row."""
    place = listing.sorted(known[listing.model]).index(row) + 1
    walk = Walk(running, listing, backward=False)
    while place > 1000:
        await walk.page(1000)
        place -= 1000
    await walk.page(place)
    assert walk.at is not None
    return walk.at


async def test_a_page_between_two_cursors(graph: Graph, demo: Database) -> None:
    query = """query($first: Int, $after: String, $last: Int, $before: String) {
      enterprises(first: $first, after: $after, last: $last, before: $before) {
        nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage }
      }
    }"""
    running = make_executor(graph, demo)

    async def ask(**variables: Any) -> tuple[list[str], bool, bool, list[str]]:
        answer = await running.run(Operation(query, variables), COMMANDER)
        assert answer.data is not None
        found = answer.data["enterprises"]
        info = found["pageInfo"]
        nodes, cursors = [n["id"] for n in found["nodes"]], [e["cursor"] for e in found["edges"]]
        return nodes, info["hasPreviousPage"], info["hasNextPage"], cursors

    rows, *_, cursors = await ask(first=10)
    between = {"after": cursors[1], "before": cursors[7]}
    assert (await ask(first=3, **between))[:3] == (rows[2:5], True, True)
    assert (await ask(last=3, **between))[:3] == (rows[4:7], True, True)
    # The list goes on beyond the other cursor even where the page ends there.
    assert (await ask(first=9, **between))[:3] == (rows[2:7], True, True)
    assert (await ask(last=9, **between))[:3] == (rows[2:7], True, True)
    assert (await ask(first=9, after=cursors[7], before=cursors[1]))[0] == []


def forged(*values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


async def code(running: Executor, field: str, variables: dict[str, Any]) -> str | None:
    query = (
        "query($first: Int, $after: String, $last: Int, $before: String)"
        f" {{ {field}first: $first, after: $after, last: $last, before: $before) {{ nodes {{ id }} }} }}"
    )
    answer = await running.run(Operation(query, variables), COMMANDER)
    codes: list[str] = [error["extensions"]["code"] for error in answer.errors]
    return codes[0] if codes else None


BY_NAME, BY_RISK = "enterprises(orderBy: {field: NAME}, ", "enterprises(orderBy: {field: RISK_GRADE}, "
BY_INSPECTED = "enterprises(orderBy: {field: LAST_INSPECTED}, "


@pytest.mark.parametrize(
    ("field", "cursor"),
    [
        ("enterprises(", node_id.encode("Enterprise", 1)),
        ("enterprises(", "1"),
        ("enterprises(", ""),
        ("enterprises(", "不是"),
        ("enterprises(", "\ud800"),
        ("enterprises(", "\0"),
        ("enterprises(", "AAAA" * 5000),
        ("enterprises(", forged()),
        ("enterprises(", forged("Enterprise+")),
        ("enterprises(", forged("Enterprise+", 1, 2)),
        ("enterprises(", forged("Enterprise+", "1")),
        ("enterprises(", forged("Enterprise+", 1.0)),
        ("enterprises(", forged("Enterprise+", True)),
        ("enterprises(", forged("Enterprise+", None)),
        ("enterprises(", forged("Enterprise+", 2**31)),
        ("enterprises(", forged("Enterprise+", 2**63)),
        ("enterprises(", forged("Enterprise-", 1)),
        ("enterprises(", forged("Venue+", 1)),
        ("enterprises(", base64.urlsafe_b64encode(b"[" * 2000).decode()),
        ("enterprises(", base64.urlsafe_b64encode(b'{"Enterprise+": 1}').decode()),
        (BY_NAME, forged("Enterprise+", 1)),
        (BY_NAME, forged("Enterprise.RISK_GRADE+", 1, 1)),
        (BY_NAME, forged("Enterprise.NAME-", "a", 1)),
        (BY_NAME, forged("Enterprise.NAME+", None, 1)),
        (BY_NAME, forged("Enterprise.NAME+", "a", None)),
        (BY_RISK, forged("Enterprise.RISK_GRADE+", 100_000, 1)),
        (BY_RISK, forged("Enterprise.RISK_GRADE+", True, 1)),
        (BY_RISK, forged("Enterprise.RISK_GRADE+", "RED", 1)),
        (BY_INSPECTED, forged("Enterprise.LAST_INSPECTED+", "2026-06-15T00:00:00", 1)),
        (BY_INSPECTED, forged("Enterprise.LAST_INSPECTED+", "0001-01-01T00:00:00+14:00", 1)),
        (BY_INSPECTED, forged("Enterprise.LAST_INSPECTED+", "9999-12-31T23:59:59-14:00", 1)),
        (BY_INSPECTED, forged("Enterprise.LAST_INSPECTED+", 5, 1)),
    ],
)
@pytest.mark.database_independent
async def test_what_is_not_a_cursor_of_the_list_is_refused(
    graph: Graph, demo: Database, field: str, cursor: str
) -> None:
    running = make_executor(graph, demo)
    assert await code(running, field, {"after": cursor}) == "BAD_CURSOR"
    assert await code(running, field, {"last": 3, "before": cursor}) == "BAD_CURSOR"


async def test_text_in_a_cursor_is_only_text(graph: Graph, demo: Database) -> None:
    for text in ("'; DROP TABLE enterprise; --", "%", "\\", '"'):
        assert await code(make_executor(graph, demo), BY_NAME, {"after": forged("Enterprise.NAME+", text, 1)}) is None
    for text in ("a\0b",):
        assert await code(make_executor(graph, demo), BY_NAME, {"after": forged("Enterprise.NAME+", text, 1)}) in (
            "BAD_CURSOR",
            "BAD_INPUT",
        )


@pytest.mark.parametrize("listing", LISTINGS, ids=str)
@pytest.mark.database_independent
async def test_a_list_takes_its_own_cursors_and_no_others(graph: Graph, demo: Database, listing: Listing) -> None:
    running = make_executor(graph, demo)
    walk = Walk(running, listing, backward=False)
    await walk.page(1)
    assert walk.at is not None
    field = f"{listing.field}({listing.arguments}"
    assert await code(running, field, {"after": walk.at}) is None
    for other in LISTINGS:
        if other.by is not listing.by or other.descending is not listing.descending or other.model != listing.model:
            other_field = f"{other.field}({other.arguments}"
            assert await code(running, other_field, {"after": walk.at}) == "BAD_CURSOR", str(other)


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"first": 0}, "BAD_PAGE"),
        ({"first": -1}, "BAD_PAGE"),
        ({"first": 1001}, "BAD_PAGE"),
        ({"first": 2**31 - 1}, "BAD_PAGE"),
        ({"last": 0}, "BAD_PAGE"),
        ({"last": -1}, "BAD_PAGE"),
        ({"last": 1001}, "BAD_PAGE"),
        ({"first": 1, "last": 1}, "BAD_PAGE"),
        ({"first": 2**31}, "BAD_VARIABLES"),
        ({"last": -(2**31) - 1}, "BAD_VARIABLES"),
        ({"first": "1"}, "BAD_VARIABLES"),
        ({"first": 1.5}, "BAD_VARIABLES"),
        ({"first": 1}, None),
        ({"last": 1000}, None),
        ({"first": None, "last": None}, None),
    ],
)
@pytest.mark.database_independent
async def test_sizes_of_pages(graph: Graph, demo: Database, variables: dict[str, Any], wanted: str | None) -> None:
    assert await code(make_executor(graph, demo), "enterprises(", variables) == wanted


async def test_a_page_has_twenty_rows_if_nothing_is_said(graph: Graph, demo: Database) -> None:
    answer = await make_executor(graph, demo).run(Operation("{ enterprises { nodes { id } } }"), COMMANDER)
    assert answer.data is not None
    assert len(answer.data["enterprises"]["nodes"]) == 20


def test_every_order_is_listed(graph: Graph) -> None:
    """A new connection at the root, or a new order, must be added to the lists that are walked here."""
    fields = graph._schema.query_type.fields  # type: ignore[union-attr]  # there is one
    found = {name for name, f in fields.items() if str(f.type).endswith("Connection!")}
    assert found - {listing.field for listing in LISTINGS} <= {"events"}
    for name in found:
        if "orderBy" in fields[name].args:
            orders = fields[name].args["orderBy"].type.fields["field"].type.of_type.values
            assert {listing.order for listing in LISTINGS if listing.field == name} == {*orders, None}
    assert {dataclasses.replace(one, descending=True) for one in ORDERED} <= set(ORDERED)
