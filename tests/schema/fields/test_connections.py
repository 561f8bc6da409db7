"""Paging through a list gives each row once and in order, in both directions, also while rows come and go."""

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

Rows = dict[Any, list[Any]]  # by model

few = settings(
    max_examples=examples(4),
    deadline=None,
    phases=[Phase.generate],  # a failing example is slow, and a shorter one would say no more
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
page_sizes = st.lists(st.integers(1, 60), min_size=1, max_size=5)

# Give every order ties and, if the column is nullable, nulls.
CROWDING = [
    sa.update(models.Enterprise).where(col(models.Enterprise.id) % 3 == 0).values(name="同名", updated_at=NOW),
    sa.update(models.Enterprise).where(col(models.Enterprise.id) % 4 == 0).values(risk_grade=None),
    sa.update(models.Enterprise).where(col(models.Enterprise.id) % 5 < 2).values(last_inspected_at=None),
    sa.update(models.Hazard).where(col(models.Hazard.id) % 3 == 0).values(found_at=NOW),
    sa.update(models.Hazard).where(col(models.Hazard.id) % 4 == 0).values(deadline=None),
    sa.update(models.Hazard).where(col(models.Hazard.id) % 4 == 1).values(deadline=NOW),
    sa.update(models.Inspection).where(col(models.Inspection.id) % 3 == 0).values(planned_for=None),
    sa.update(models.Inspection).where(col(models.Inspection.id) % 4 == 0).values(submitted_at=NOW),
    sa.update(models.Case).where(col(models.Case.id) % 3 == 0).values(filed_at=NOW, decided_at=None, fine_yuan=0),
    sa.update(models.Warning).where(col(models.Warning.id) % 2 == 0).values(issued_at=NOW),
]


@pytest_asyncio.fixture(scope="module")
async def crowd(databases: Databases, demo_url: str) -> AsyncIterator[Database]:
    database = Database(await databases.new(demo_url))
    async with database.write() as session:
        for statement in CROWDING:
            await session.execute(statement)
    yield database
    await close_for_copying(database)


@pytest_asyncio.fixture(scope="module")
async def stored(crowd: Database) -> Rows:
    """All rows by model, read by one SELECT each."""
    return {model: await rows_of(crowd, model) for model in {listing.model for listing in LISTINGS}}


class Pager:
    """Reads a list page by page. `at` is the cursor reached, `more` whether there are further rows."""

    def __init__(self, executor: Executor, listing: Listing, backward: bool, filter: str = "") -> None:
        size, cursor = ("last", "before") if backward else ("first", "after")
        self._query = (
            f"query($n: Int!, $at: String) {{ {listing.field}({listing.arguments}{filter}{size}: $n, {cursor}: $at)"
            " { nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"
        )
        self._executor, self._field, self._backward = executor, listing.field, backward
        self.at: str | None = None
        self.more = True

    async def page(self, size: int) -> list[str]:
        """The ids of the next rows in the pager's direction."""
        response = await self._executor.run(Operation(self._query, {"n": size, "at": self.at}), COMMANDER)
        assert response.errors == []
        assert response.data is not None
        connection = response.data[self._field]
        info, rows = connection["pageInfo"], [node["id"] for node in connection["nodes"]]
        assert len(rows) <= size
        started = self.at is not None
        assert info["hasNextPage" if self._backward else "hasPreviousPage"] == started
        self.more = info["hasPreviousPage" if self._backward else "hasNextPage"]
        assert len(rows) == size or not self.more
        self.at = info["startCursor" if self._backward else "endCursor"]
        return rows[::-1] if self._backward else rows

    async def all(self, sizes: list[int]) -> list[str]:
        """The ids of all rows, by pages of these sizes in turn."""
        rows: list[str] = []
        for size in itertools.islice(itertools.cycle(sizes), 400):
            rows += await self.page(size)
            if not self.more:
                return rows
        raise AssertionError("the list has no end")


@pytest.mark.parametrize("listing", LISTINGS, ids=str)
@few
@given(sizes=page_sizes, backward=st.booleans())
async def test_paging_gives_each_row_once_and_in_order(
    graph: Graph,
    crowd: Database,
    stored: Rows,
    listing: Listing,
    sizes: list[int],
    backward: bool,
) -> None:
    rows, filter = stored[listing.model], ""
    if len(rows) > 300:
        # The rows of a few enterprises suffice, and paging must work with a filter.
        some = sorted({row.enterprise_id for row in rows})[:12]
        rows = [row for row in rows if row.enterprise_id in some]
        filter = f"filter: {{enterprises: {orjson.dumps([node_id.encode('Enterprise', e) for e in some]).decode()}}}, "
    expected = [listing.id(row) for row in listing.sorted(rows)]
    assert await Pager(make_executor(graph, crowd), listing, backward, filter).all(sizes) == (
        expected[::-1] if backward else expected
    )


@pytest.mark.parametrize("listing", [one for one in LISTINGS if one.field == "hazards"], ids=str)
async def test_all_hazards_in_pages_of_a_hundred(graph: Graph, crowd: Database, stored: Rows, listing: Listing) -> None:
    expected = [listing.id(row) for row in listing.sorted(stored[models.Hazard])]
    assert len(expected) > 1000
    assert await Pager(make_executor(graph, crowd), listing, backward=False).all([100]) == expected


def enterprise(number: int, example: models.Enterprise, **changed: Any) -> models.Enterprise:
    """An enterprise with the sort keys of the example, so that it lies beside it in every order."""
    values = {c: getattr(example, c) for c in ("name", "risk_grade", "open_hazards", "last_inspected_at", "updated_at")}
    return models.Enterprise(id=number, **{**values, **changed})


@pytest.mark.parametrize("listing", [one for one in LISTINGS if one.field == "enterprises"], ids=str)
@few
@given(data=st.data(), backward=st.booleans())
async def test_inserted_and_deleted_rows_do_not_disturb_paging(
    graph: Graph,
    crowd: Database,
    stored: Rows,
    listing: Listing,
    data: st.DataObject,
    backward: bool,
) -> None:
    """Each row that exists throughout is returned once and in order; no row is returned twice."""
    lasting = stored[models.Enterprise]
    lasting_rows = st.sampled_from(lasting)
    numbers = itertools.count(100_000)
    temporary = {n: enterprise(n, data.draw(lasting_rows)) for n in itertools.islice(numbers, 6)}
    async with crowd.write() as session:
        session.add_all(temporary.values())
    seen: list[str] = []
    pager = Pager(make_executor(graph, crowd), listing, backward)
    try:
        while pager.more:
            assert len(seen) < 2 * len(lasting)
            seen += await pager.page(data.draw(st.integers(10, 40)))
            async with crowd.write() as session:
                if temporary:
                    deleted = data.draw(st.sampled_from(sorted(temporary)))
                    await session.execute(sa.delete(models.Enterprise).where(col(models.Enterprise.id) == deleted))
                    del temporary[deleted]
                session.add(enterprise(next(numbers), data.draw(lasting_rows)))
    finally:
        async with crowd.write() as session:
            await session.execute(sa.delete(models.Enterprise).where(col(models.Enterprise.id) >= 100_000))
    assert len(seen) == len(set(seen))
    expected = [listing.id(row) for row in listing.sorted(lasting)]
    assert [row for row in seen if row in set(expected)] == (expected[::-1] if backward else expected)


async def test_a_cursor_is_valid_after_its_row_is_deleted(graph: Graph, own_demo: Database) -> None:
    listing = ORDERED[0]
    expected = [listing.id(row) for row in listing.sorted(await rows_of(own_demo, models.Enterprise))]
    async with own_demo.write() as session:
        last = listing.sorted(await rows_of(own_demo, models.Enterprise))[9]
        session.add(enterprise(100_000, last))
    pager = Pager(make_executor(graph, own_demo), listing, backward=False)
    assert await pager.page(11) == [*expected[:10], node_id.encode("Enterprise", 100_000)]
    async with own_demo.write() as session:
        await session.execute(sa.delete(models.Enterprise).where(col(models.Enterprise.id) == 100_000))
    assert await pager.page(20) == expected[10:30]


OF_ZONES = [one for one in (*ORDERED, *LISTINGS) if one.field != "cases" and (one.order or one.field == "warnings")]


@pytest.mark.parametrize("listing", dict.fromkeys(OF_ZONES), ids=str)
@few
@given(data=st.data(), size=st.integers(1, 30), backward=st.booleans())
async def test_each_parent_has_its_own_page(
    graph: Graph,
    crowd: Database,
    stored: Rows,
    listing: Listing,
    data: st.DataObject,
    size: int,
    backward: bool,
) -> None:
    """A cursor of any row bounds every parent's list at the same position in the order."""
    zone_of = {row.id: row.zone_id for row in stored[models.Enterprise]}
    parent = {r.id: r.zone_id if hasattr(r, "zone_id") else zone_of[r.enterprise_id] for r in stored[listing.model]}
    at = data.draw(st.none() | st.sampled_from(stored[listing.model]))
    count, cursor = ("last", "before") if backward else ("first", "after")
    query = (
        f"query($n: Int!, $at: String) {{ zones {{ id {listing.field}({listing.arguments}{count}: $n, {cursor}: $at)"
        " { nodes { id } pageInfo { hasNextPage hasPreviousPage } } } }"
    )
    executor = make_executor(graph, crowd)
    variables = {"n": size, "at": None if at is None else await cursor_of(executor, listing, at, stored)}
    response = await executor.run(Operation(query, variables), COMMANDER)
    assert response.errors == []
    assert response.data is not None
    assert len(response.data["zones"]) == 4
    for zone in response.data["zones"]:
        rows = listing.sorted([r for r in stored[listing.model] if parent[r.id] == node_id.key_of(zone["id"], "Zone")])
        if at is not None:
            inside = [(listing.place(r) < listing.place(at)) == (backward is not listing.descending) for r in rows]
            rows = [r for r, within in zip(rows, inside, strict=True) if within and r.id != at.id]
        expected = rows[-size:] if backward else rows[:size]
        connection = zone[listing.field]
        assert [node["id"] for node in connection["nodes"]] == [listing.id(row) for row in expected]
        assert connection["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"] == (len(rows) > size)


async def cursor_of(executor: Executor, listing: Listing, row: Any, stored: Rows) -> str:
    """The cursor of a row, as the list returns it."""
    place = listing.sorted(stored[listing.model]).index(row) + 1
    pager = Pager(executor, listing, backward=False)
    while place > 1000:
        await pager.page(1000)
        place -= 1000
    await pager.page(place)
    assert pager.at is not None
    return pager.at


async def test_a_page_between_two_cursors(graph: Graph, demo: Database) -> None:
    query = """query($first: Int, $after: String, $last: Int, $before: String) {
      enterprises(first: $first, after: $after, last: $last, before: $before) {
        nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage }
      }
    }"""
    executor = make_executor(graph, demo)

    async def ask(**variables: Any) -> tuple[list[str], bool, bool, list[str]]:
        response = await executor.run(Operation(query, variables), COMMANDER)
        assert response.data is not None
        connection = response.data["enterprises"]
        info = connection["pageInfo"]
        nodes, cursors = [n["id"] for n in connection["nodes"]], [e["cursor"] for e in connection["edges"]]
        return nodes, info["hasPreviousPage"], info["hasNextPage"], cursors

    rows, *_, cursors = await ask(first=10)
    between = {"after": cursors[1], "before": cursors[7]}
    assert (await ask(first=3, **between))[:3] == (rows[2:5], True, True)
    assert (await ask(last=3, **between))[:3] == (rows[4:7], True, True)
    # There are rows beyond the other cursor, even if the page ends there.
    assert (await ask(first=9, **between))[:3] == (rows[2:7], True, True)
    assert (await ask(last=9, **between))[:3] == (rows[2:7], True, True)
    assert (await ask(first=9, after=cursors[7], before=cursors[1]))[0] == []


def forged(*values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


async def error_code(executor: Executor, field: str, variables: dict[str, Any]) -> str | None:
    """The code of the first error for a page with these arguments; None without errors."""
    query = (
        "query($first: Int, $after: String, $last: Int, $before: String)"
        f" {{ {field}first: $first, after: $after, last: $last, before: $before) {{ nodes {{ id }} }} }}"
    )
    response = await executor.run(Operation(query, variables), COMMANDER)
    codes: list[str] = [error["extensions"]["code"] for error in response.errors]
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
async def test_an_invalid_cursor_is_refused(graph: Graph, demo: Database, field: str, cursor: str) -> None:
    executor = make_executor(graph, demo)
    assert await error_code(executor, field, {"after": cursor}) == "BAD_CURSOR"
    assert await error_code(executor, field, {"last": 3, "before": cursor}) == "BAD_CURSOR"


async def test_text_in_a_cursor_is_not_interpreted(graph: Graph, demo: Database) -> None:
    executor = make_executor(graph, demo)
    for text in ("'; DROP TABLE enterprise; --", "%", "\\", '"'):
        assert await error_code(executor, BY_NAME, {"after": forged("Enterprise.NAME+", text, 1)}) is None
    code = await error_code(executor, BY_NAME, {"after": forged("Enterprise.NAME+", "a\0b", 1)})
    assert code in ("BAD_CURSOR", "BAD_INPUT")


@pytest.mark.parametrize("listing", LISTINGS, ids=str)
@pytest.mark.database_independent
async def test_a_list_accepts_only_its_own_cursors(graph: Graph, demo: Database, listing: Listing) -> None:
    executor = make_executor(graph, demo)
    pager = Pager(executor, listing, backward=False)
    await pager.page(1)
    assert pager.at is not None
    field = f"{listing.field}({listing.arguments}"
    assert await error_code(executor, field, {"after": pager.at}) is None
    for other in LISTINGS:
        if other.by is not listing.by or other.descending is not listing.descending or other.model != listing.model:
            other_field = f"{other.field}({other.arguments}"
            assert await error_code(executor, other_field, {"after": pager.at}) == "BAD_CURSOR", str(other)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"first": -1}, "BAD_PAGE"),
        ({"first": 1001}, "BAD_PAGE"),
        ({"first": 2**31 - 1}, "BAD_PAGE"),
        ({"last": -1}, "BAD_PAGE"),
        ({"last": 1001}, "BAD_PAGE"),
        ({"first": 1, "last": 1}, "BAD_PAGE"),
        ({"first": 2**31}, "BAD_VARIABLES"),
        ({"last": -(2**31) - 1}, "BAD_VARIABLES"),
        ({"first": "1"}, "BAD_VARIABLES"),
        ({"first": 1.5}, "BAD_VARIABLES"),
        ({"first": 0}, None),
        ({"last": 1000}, None),
        ({"first": None, "last": None}, None),
    ],
)
@pytest.mark.database_independent
async def test_the_size_of_a_page_is_checked(
    graph: Graph, demo: Database, variables: dict[str, Any], expected: str | None
) -> None:
    assert await error_code(make_executor(graph, demo), "enterprises(", variables) == expected


async def test_a_page_has_twenty_rows_by_default(graph: Graph, demo: Database) -> None:
    response = await make_executor(graph, demo).run(Operation("{ enterprises { nodes { id } } }"), COMMANDER)
    assert response.data is not None
    assert len(response.data["enterprises"]["nodes"]) == 20


def test_every_order_is_tested(graph: Graph) -> None:
    """A new connection at the root, or a new order, must be added to LISTINGS."""
    fields = graph._schema.query_type.fields  # type: ignore[union-attr]  # there is one
    connections = {name for name, f in fields.items() if str(f.type).endswith("Connection!")}
    assert connections - {listing.field for listing in LISTINGS} <= {"events"}
    for name in connections:
        if "orderBy" in fields[name].args:
            orders = fields[name].args["orderBy"].type.fields["field"].type.of_type.values
            assert {listing.order for listing in LISTINGS if listing.field == name} == {*orders, None}
    assert {dataclasses.replace(one, descending=True) for one in ORDERED} <= set(ORDERED)
