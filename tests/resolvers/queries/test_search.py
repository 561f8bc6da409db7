"""Search for parts of Chinese and Latin texts: exact letters, best matches first, equal on both databases."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from models.db.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries.search import TEXT_MAXIMUM, SearchKind, find
from resolvers.sql.readers import OperationReader
from tests.conftest import COMMANDER, NOW, SHANGHAI, Databases
from tests.support.proof_mode import examples

ENTERPRISES = [
    ("萧山化工", "330109", None),
    ("萧山化工有限公司", None, "市心路"),
    ("杭州萧山化工厂", None, None),
    ("100%_好\\人", None, None),
    ("1000 好人", None, "100%"),
    ("[停业] Alpha", None, None),
    ("ALPHA beta", None, None),
    ("alpha", None, None),
    ('He said "x"', None, None),
    ("É É", None, None),
    ("普通", "ALPHA1", "alpha 路"),
    ("\u212a", None, None),  # the kelvin sign, which Unicode folds to k
]
EXPERTS = [("王小明", ["alpha", "gamma, delta"]), ("alpha", []), ("张三", ["Gamma alpha", "危化"]), ("李四", ['"q"'])]


@pytest_asyncio.fixture(scope="module")
async def library(databases: Databases, migrated_url: str) -> AsyncIterator[Database]:
    made = Database(await databases.new(migrated_url))
    async with made.write() as session:
        session.add_all(
            models.Enterprise(id=i, name=name, external_id=key, address=address, updated_at=NOW)
            for i, (name, key, address) in enumerate(ENTERPRISES, start=1)
        )
        session.add_all(
            models.Expert(id=i, full_name=name, specialties=specialties)
            for i, (name, specialties) in enumerate(EXPERTS, start=1)
        )
        session.add(models.Team(id=1, name="Alpha 队", kind=models.TeamKind.FIRE, strength=3))
        session.add(models.Warehouse(id=1, name="alpha 仓库"))
        session.add(models.Inspector(id=1, badge="XS017", full_name="赵检"))
        session.add(models.Venue(id=1, code="alphabet", name="体育馆", kind=models.VenueKind.OTHER))
    yield made
    await made.close()


async def search(
    database: Database, text: str, *, viewer: Viewer = COMMANDER, **given: Any
) -> list[tuple[str, str, int]]:
    """The hits: the text, the model's name and the key."""
    reader = OperationReader(database, viewer, NOW, SHANGHAI)
    try:
        [hits] = await find(reader, [()], text=text, **given)
    finally:
        await reader.close()
    return [(hit.matched, hit.item[0].__name__, hit.item[1]) for hit in hits]


async def names(database: Database, text: str) -> list[str]:
    """The names of the enterprises found."""
    return [matched for matched, _, _ in await search(database, text, kinds=[SearchKind.ENTERPRISE])]


async def test_exact_matches_come_before_prefixes_and_other_parts(library: Database) -> None:
    assert await names(library, "萧山化工") == ["萧山化工", "萧山化工有限公司", "杭州萧山化工厂"]
    assert await names(library, "alpha") == ["alpha", "ALPHA beta", "[停业] Alpha", "ALPHA1"]


async def test_kinds_are_merged_by_quality_of_match(library: Database) -> None:
    assert await search(library, "alpha") == [
        ("alpha", "Enterprise", 8),
        ("alpha", "Expert", 2),
        ("Alpha 队", "Team", 1),
        ("alpha 仓库", "Warehouse", 1),
        ("ALPHA beta", "Enterprise", 7),
        ("[停业] Alpha", "Enterprise", 6),
        ("alpha", "Expert", 1),
        ("Gamma alpha", "Expert", 3),
        ("ALPHA1", "Enterprise", 11),
        ("alphabet", "Venue", 1),
    ]


async def test_kinds_and_number_of_hits_can_be_chosen(library: Database) -> None:
    hits = await search(library, "alpha", kinds=[SearchKind.TEAM, SearchKind.VENUE, SearchKind.TEAM])
    assert [model for _, model, _ in hits] == ["Team", "Venue"]
    assert len(await search(library, "alpha", first=3)) == 3
    assert (await search(library, "alpha", first=3)) == (await search(library, "alpha"))[:3]
    assert await search(library, "alpha", kinds=[]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%", ["100%", "100%_好\\人"]),
        ("_", ["100%_好\\人"]),
        ("\\", ["100%_好\\人"]),
        ("100%", ["100%_好\\人", "100%"]),
        ("0%_", ["100%_好\\人"]),
        ("'", []),
        ('"', ['He said "x"']),
        ("[", ["[停业] Alpha"]),
        ("É", ["É É"]),
        ("é", []),
        ("k", []),
        ("bETA", ["ALPHA beta"]),
        ("化", ["萧山化工", "萧山化工有限公司", "杭州萧山化工厂"]),
        ("  化工厂 ", ["杭州萧山化工厂"]),
        ("没有", []),
        ("1; DROP TABLE enterprise", []),
    ],
)
async def test_a_part_must_match_every_letter(library: Database, text: str, expected: list[str]) -> None:
    assert sorted(await names(library, text)) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gamma", [("gamma, delta", 1), ("Gamma alpha", 3)]),
        ("危化", [("危化", 3)]),
        (", ", [("gamma, delta", 1)]),
        ('"', [('"q"', 4)]),
        ("[", []),
        ("王小明", [("王小明", 1)]),
    ],
)
async def test_each_specialty_of_an_expert_is_searched_separately(
    library: Database, text: str, expected: list[Any]
) -> None:
    hits = await search(library, text, kinds=[SearchKind.EXPERT])
    assert sorted((key, matched) for matched, _, key in hits) == sorted((key, matched) for matched, key in expected)


async def test_inspectors_are_found_by_badge_and_by_name_where_it_may_be_seen(library: Database) -> None:
    program = Viewer(Visibility(Role.INTEGRATOR, frozenset({Scope.READ})))
    for viewer, text, matched in (
        (COMMANDER, "xs01", ["XS017"]),
        (COMMANDER, "赵检", ["赵检"]),
        (program, "xs01", ["XS017"]),
        (program, "赵检", []),
        (Viewer(Visibility(Role.ENTERPRISE, enterprise=1)), "xs01", []),
    ):
        assert [hit for hit, _, _ in await search(library, text, viewer=viewer)] == matched


@pytest.mark.parametrize("text", ["", "  ", "\u3000", "x" * (TEXT_MAXIMUM + 1), "a\0b", "\0", "\ud800"])
async def test_invalid_search_texts_are_refused(library: Database, text: str) -> None:
    with pytest.raises(RequestError) as refused:
        await search(library, text)
    assert refused.value.code is ErrorCode.BAD_INPUT


@pytest.mark.parametrize("first", [-1, 1001, 2**31 - 1])
async def test_a_number_of_hits_out_of_range_is_refused(library: Database, first: int) -> None:
    with pytest.raises(RequestError) as refused:
        await search(library, "a", first=first)
    assert refused.value.code is ErrorCode.BAD_PAGE


async def test_the_longest_text_and_the_largest_number_are_accepted(library: Database) -> None:
    assert await search(library, "%" * TEXT_MAXIMUM, first=1000) == []


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_every_part_of_a_name_finds_it(library: Database, data: st.DataObject) -> None:
    key = data.draw(st.integers(1, len(ENTERPRISES)))
    name = ENTERPRISES[key - 1][0]
    start = data.draw(st.integers(0, len(name) - 1))
    part = name[start : data.draw(st.integers(start + 1, len(name)))]
    if part.strip():
        hits = await search(library, part, kinds=[SearchKind.ENTERPRISE])
        assert key in [number for _, _, number in hits]
