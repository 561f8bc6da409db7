"""A row source reads the same rows for both executors, only the viewer's, in one statement for all parents."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import models
from models import Role, Scope, Viewer, Visibility
from models.byte_cache import LockedByteCache
from models.db.database import Database
from models.db.tables import table_of
from resolvers.sql import prepared, selects
from resolvers.sql.pagination import Order, SortKey, make_page
from resolvers.sql.predicates import Condition, Equal
from resolvers.sql.readers import DriverReader, OperationReader, Reader, RequestInfo
from resolvers.sql.row_source import RowSource, SelectedColumns
from tests.conftest import COMMANDER, NOW, SHANGHAI, StatementCounter
from tests.support.connection_reference import rows_of

HAZARD = table_of(models.Hazard)
IDS = SelectedColumns(lambda: [HAZARD.c.id])
BY_ID = SortKey(models.Hazard.id)
OLDEST_FIRST = Order("Hazard", BY_ID, BY_ID)
OF_ENTERPRISE = selects.relation(models.Hazard, models.Hazard.enterprise_id)
OF_ROOT = selects.relation(models.Hazard)
ENTERPRISES = [1, 2, 3, 10**6]  # the last does not exist

Read = Callable[[Reader], Awaitable[Any]]


async def read_through(database: Database, viewer: Viewer, read: Read, *, driver: bool) -> Any:
    if not driver:
        reader = OperationReader(database, viewer, NOW, SHANGHAI)
        try:
            return await read(reader)
        finally:
            await reader.close()
    request = RequestInfo(viewer, NOW, SHANGHAI, None)
    return await database.read_pool.read(
        lambda fetch: _awaited(read(DriverReader(request, fetch, sqlite=database.sqlite)))
    )


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


@pytest.fixture(params=[False, True], ids=["operation", "driver"])
def driver(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def hazards(demo: Database) -> dict[int, list[int]]:
    """The ids of each enterprise's hazards, in ascending order."""
    ids: dict[int, list[int]] = {key: [] for key in ENTERPRISES}
    for row in sorted(await rows_of(demo, models.Hazard), key=lambda row: row.id):
        if row.enterprise_id in ids:
            ids[row.enterprise_id].append(row.id)
    assert len(ids[1]) > 2
    return ids


async def test_rows_are_read_by_their_keys(demo: Database, driver: bool) -> None:
    source = RowSource(models.Hazard, OF_ROOT)
    rows = await read_through(demo, COMMANDER, lambda r: source.by_key(r, [3, 1, 10**6], selected=IDS), driver=driver)
    assert {key: row[0] for key, row in rows.items()} == {1: 1, 3: 3}


async def test_no_keys_need_no_statement(demo: Database, driver: bool) -> None:
    with StatementCounter(demo) as statements:
        assert (
            await read_through(
                demo, COMMANDER, lambda r: RowSource(models.Hazard, OF_ROOT).by_key(r, []), driver=driver
            )
            == {}
        )
    assert statements.texts == []


@pytest.mark.parametrize("keys", [ENTERPRISES, [1]], ids=["many", "one"])
@pytest.mark.parametrize("ends", [True, False])
async def test_each_parent_has_its_page(demo: Database, driver: bool, keys: list[int], ends: bool) -> None:
    ids, source = await hazards(demo), RowSource(models.Hazard, OF_ENTERPRISE)
    page = make_page(OLDEST_FIRST, first=2)
    slices = await read_through(
        demo, COMMANDER, lambda r: source.pages(r, page, keys, selected=IDS, ends=ends), driver=driver
    )
    assert {key: [row[0] for row in slice_.rows] for key, slice_ in slices.items()} == {k: ids[k][:2] for k in keys}
    assert all(slice_.has_next is (ends and len(ids[key]) > 2) for key, slice_ in slices.items())
    assert not any(slice_.has_previous for slice_ in slices.values())


@pytest.mark.parametrize("backward", [False, True])
async def test_a_page_knows_what_lies_on_either_side(demo: Database, driver: bool, backward: bool) -> None:
    """On the side of a cursor there is the cursor's own row; on the other, one row too many is read."""
    ids, source = (await hazards(demo))[1], RowSource(models.Hazard, OF_ENTERPRISE)
    order = OLDEST_FIRST
    if backward:
        page, rest = make_page(order, last=1, before=order.encode([ids[-1]])), ids[-2:-1]
    else:
        page, rest = make_page(order, first=1, after=order.encode([ids[0]])), ids[1:2]
    slices = await read_through(demo, COMMANDER, lambda r: source.pages(r, page, [1], selected=IDS), driver=driver)
    assert [row[0] for row in slices[1].rows] == rest
    assert (slices[1].has_previous, slices[1].has_next) == ((len(ids) > 2, True) if backward else (True, len(ids) > 2))


async def test_all_rows_are_sorted_for_each_parent(demo: Database, driver: bool) -> None:
    ids, source = await hazards(demo), RowSource(models.Hazard, OF_ENTERPRISE)
    rows = await read_through(
        demo,
        COMMANDER,
        lambda r: source.all_rows(r, ENTERPRISES, order=lambda row: -row[0], selected=IDS),
        driver=driver,
    )
    assert {key: [row[0] for row in group] for key, group in rows.items()} == {k: ids[k][::-1] for k in ENTERPRISES}


async def test_rows_are_counted_for_each_parent_and_for_the_root(demo: Database, driver: bool) -> None:
    ids = await hazards(demo)
    of_enterprise, of_root = RowSource(models.Hazard, OF_ENTERPRISE), RowSource(models.Hazard, OF_ROOT)
    counts = await read_through(demo, COMMANDER, lambda r: of_enterprise.counts(r, ENTERPRISES), driver=driver)
    assert counts == {key: len(rows) for key, rows in ids.items()}
    only_first = [Condition(Equal(models.Hazard.enterprise_id), 1)]
    counts = await read_through(demo, COMMANDER, lambda r: of_root.counts(r, [None], only_first), driver=driver)
    assert counts == {None: len(ids[1])}


async def test_only_the_viewers_rows_are_read_unless_the_operation_wrote_them(demo: Database, driver: bool) -> None:
    ids = await hazards(demo)
    own, other = ids[1][0], ids[2][0] if ids[2] else ids[3][0]
    enterprise = Viewer(Visibility(Role.ENTERPRISE, enterprise=1))
    scopeless = Viewer(Visibility(Role.INTEGRATOR, frozenset({Scope.REGISTER})))

    async def visible(viewer: Viewer, *, scoped: bool = True) -> set[int]:
        source = RowSource(models.Hazard, OF_ROOT, scoped=scoped)
        return set(await read_through(demo, viewer, lambda r: source.by_key(r, [own, other]), driver=driver))

    assert await visible(enterprise) == {own}
    assert await visible(scopeless) == set()
    assert await visible(scopeless, scoped=False) == {own, other}


async def test_all_columns_are_read_where_none_are_selected(demo: Database) -> None:
    source = RowSource(models.Hazard, OF_ROOT)
    rows = await read_through(demo, COMMANDER, lambda r: source.by_key(r, [1]), driver=False)
    [row] = [row for row in await rows_of(demo, models.Hazard) if row.id == 1]
    assert [getattr(rows[1], column.key) for column in HAZARD.c] == list(row)


async def test_a_statement_is_prepared_once_for_each_shape(
    demo: Database, driver: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[Any] = []
    kind: Any = DriverReader if driver else OperationReader
    prepare = kind.prepare

    def counted(self: Reader, select: Any) -> Any:
        prepared.append(select)
        return prepare(self, select)

    monkeypatch.setattr(kind, "prepare", counted)
    source = RowSource(models.Hazard, OF_ENTERPRISE)

    async def read(reader: Reader) -> None:
        for first in (1, 2, 2):
            await source.pages(reader, make_page(OLDEST_FIRST, first=first), ENTERPRISES, selected=IDS)
        for key in (1, 2):
            await source.counts(reader, [key])

    await read_through(demo, COMMANDER, read, driver=driver)
    assert len(prepared) == 3


@pytest.mark.parametrize("driver", [True, False])
async def test_the_statements_of_all_sources_are_bounded_together(
    demo: Database, driver: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    maximum = 300_000
    monkeypatch.setattr(prepared, "STATEMENTS", cache := LockedByteCache[Any, Any](maximum))
    sources = [RowSource(models.Hazard, OF_ENTERPRISE) for _ in range(5)]

    async def read(reader: Reader) -> None:
        for first in range(1, 40):
            for source in sources:
                await source.pages(reader, make_page(OLDEST_FIRST, first=first), [1], selected=IDS)
                assert 0 < cache.bytes <= maximum

    await read_through(demo, COMMANDER, read, driver=driver)
    assert cache.evictions > 100
    assert len(cache) + cache.evictions == 5 * 39
