"""An operation is parsed once and cached, valid or not. The least recently used ones are removed, long ones sooner."""

import gc
import itertools
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bench.documents import Analysis
from models.db.database import Database
from schema.build import Graph
from schema.execution import documents
from schema.execution.operation import Operation
from schema.execution.parsing import parse_document
from schema.plan import cache
from tests.conftest import COMMANDER, make_executor
from tests.support.hostile_documents import GROUPS, chain

pytestmark = pytest.mark.database_independent


async def test_the_least_recently_used_operation_is_removed(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    of_one = await bytes_of(graph, demo, "{ z0: zones { id } }")

    def recording_parse(query: str) -> Any:
        parsed.append(query)
        return parse_document(query)

    monkeypatch.setattr(documents, "parse_document", recording_parse)
    running = make_executor(graph, demo)
    running.documents.cache.maximum = 10 * of_one // 3

    async def ask(number: int) -> None:
        response = await running.run(Operation(f"{{ z{number}: zones {{ id }} }}"), COMMANDER)
        assert response.errors == []

    for number in (0, 1, 2, 0, 1, 2):
        await ask(number)
    assert len(parsed) == 3
    await ask(3)  # removes 0
    await ask(1)
    assert len(parsed) == 4
    await ask(0)
    assert len(parsed) == 5
    for number in range(100):
        await ask(number)
    assert len(running.documents.cache) == 3
    assert running.documents.cache.evictions == len(parsed) - 3


async def test_plans_that_go_give_their_bytes_back(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "PLANS_MAXIMUM", 3)
    running = make_executor(graph, demo)
    query = "query($a: Boolean!, $b: Boolean!) { zones { id code @include(if: $a) name @include(if: $b) } }"
    sizes = []
    for a, b in itertools.product([False, True], repeat=2):
        response = await running.run(Operation(query, {"a": a, "b": b}), COMMANDER)
        assert response.errors == []
        sizes.append(running.documents.cache.bytes)
    # The fourth plan has only itself: what came before has gone.
    assert sizes[0] < sizes[3] < sizes[1] < sizes[2]


async def test_an_operation_that_has_gone_is_freed_at_once(graph: Graph, demo: Database) -> None:
    running = make_executor(graph, demo)
    query = "{ zones { id } }"
    await running.run(Operation(query), COMMANDER)
    operation = weakref.ref(running.documents.known(query, None))
    gc.disable()
    try:
        running.documents.cache.clear()
        assert operation() is None
    finally:
        gc.enable()


async def bytes_of(graph: Graph, database: Database, query: str) -> int:
    """The bytes that the cache has for one operation, its plan included."""
    running = make_executor(graph, database)
    await running.run(Operation(query), COMMANDER)
    return running.documents.cache.bytes


async def test_the_errors_of_an_invalid_document_are_cached(graph: Graph, demo: Database) -> None:
    running = make_executor(graph, demo)
    for _ in range(2):
        response = await running.run(Operation("{ nothing }"), COMMANDER)
        assert [error["extensions"]["code"] for error in response.errors] == ["BAD_DOCUMENT"]
    assert [key for key, _ in running.documents.cache.items()] == [("{ nothing }", None)]


async def test_operations_of_one_document_are_cached_by_their_names(graph: Graph, demo: Database) -> None:
    running, query = make_executor(graph, demo), "query A { a: zones { id } } query B { b: zones { id } }"
    for name in ("A", "B", "A"):
        response = await running.run(Operation(query, {}, name), COMMANDER)
        assert list(response.data or ()) == [name.lower()]
    assert [error["message"] for error in (await running.run(Operation(query), COMMANDER)).errors] == [
        "Name the one operation of the document that is meant."
    ]
    assert [name for (_, name), _ in running.documents.cache.items()] == ["B", "A", None]


async def test_fewer_long_documents_are_cached(graph: Graph, demo: Database) -> None:
    running = make_executor(graph, demo)
    queries = [f"{{ z{number}: zones {{ id }} }} #{'x' * 30_000}" for number in range(5)]
    running.documents.cache.maximum = 3 * await bytes_of(graph, demo, queries[0])
    for query in queries:
        assert (await running.run(Operation(query), COMMANDER)).errors == []
    assert [query for (query, _), _ in running.documents.cache.items()] == queries[-3:]


# -- the work --

CALLS_MAXIMUM = 350_000  # of functions, until a document is refused or planned; about 50 ms


def calls(function: Callable[[], Any]) -> int:
    """The number of calls that a function makes, those of C functions included."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.exhaustive
@pytest.mark.parametrize("sqlite", [True, False])
@pytest.mark.parametrize("group", GROUPS)
def test_the_work_for_any_document_is_bounded(graph: Graph, group: str, sqlite: bool) -> None:
    """Counts calls instead of time. The milliseconds are in bench/results/documents.md."""
    analysis = Analysis(graph, sqlite=sqlite)
    analysis.outcome("{ zones { id } }")  # fills the caches of the schema
    counts = {name: calls(partial(analysis.outcome, text)) for name, text in GROUPS[group]()}
    assert {name: count for name, count in counts.items() if count > CALLS_MAXIMUM} == {}


@pytest.mark.parametrize(
    "shape", ["@ @", "a:command{zone{@}} b:command{zone{@}}", "...on Zone{@} ...on Node{...on Zone{@}}"]
)
def test_the_work_for_a_fan_out_does_not_grow_with_its_paths(graph: Graph, shape: str) -> None:
    analysis = Analysis(graph, sqlite=True)
    few, many = (calls(partial(analysis.outcome, "{zones{...F0}}" + chain(depth, shape))) for depth in (10, 30))
    assert many < 6 * few
