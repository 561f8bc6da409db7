"""SELECTs of all shapes that clients use are built once, in bytes that all share."""

import itertools

import pytest
import sqlalchemy as sa

from models.byte_cache import LockedByteCache
from resolvers.queries import map_statements
from resolvers.sql import prepared
from resolvers.sql.prepared import cached_select
from tests.conftest import Ask

FILTERS = ("hazardousChemicals: true", "riskGrades: [RED]", 'industry: "化工"', "hasOpenHazards: true", 'text: "a"')
MAP = (
    "{{ enterpriseMap(box: {{west: 120, south: 30, east: 120.6, north: 30.4}}, zoom: 11, filter: {{{}}}) {{ total }} }}"
)


def test_each_shape_is_built_once_and_no_other_function_gets_it() -> None:
    built: list[str] = []

    @cached_select
    def one(number: int) -> sa.Select[int]:
        built.append(f"one {number}")
        return sa.select(sa.literal(number))

    @cached_select
    def other(number: int) -> sa.Select[int]:
        built.append(f"other {number}")
        return sa.select(sa.literal(-number))

    kept = [[one(number), other(number)] for number in range(20)]
    assert [[one(number), other(number)] for number in range(20)] == kept
    assert len(built) == len(set(built)) == 40


def test_shapes_share_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "STATEMENTS", cache := LockedByteCache[object, object](10 * prepared.SELECT_BYTES))
    select = cached_select(lambda number: sa.select(sa.literal(number)))
    for number in range(100):
        select(number)
    assert 5 < len(cache) < 10


async def test_a_map_with_any_filter_is_built_once(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    built = 0
    place = map_statements._placed

    def counted(layer: map_statements.Layer) -> object:
        nonlocal built
        built += 1
        return place(layer)

    monkeypatch.setattr(map_statements, "_placed", counted)
    counts = []
    for _ in range(2):
        built = 0
        for size in range(len(FILTERS) + 1):
            for chosen in itertools.combinations(FILTERS, size):
                await ask(MAP.format(", ".join(chosen)))
        counts.append(built)
    assert counts[0] > 32
    assert counts[1] == 0
