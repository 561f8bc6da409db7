"""Subscribers who differ only in `after`, blanks or comments share one execution."""

from typing import Any

import pytest

from models.db.database import Database
from schema.build import Graph
from schema.execution.operation import Operation
from schema.live import request
from schema.live.request import SubscriptionRequest, subscription_request
from tests.conftest import COMMANDER, make_executor

pytestmark = pytest.mark.database_independent

PLAIN = "subscription { updates { id kind } }"
NAMED = (
    "subscription S($after: String, $kinds: [EventKind!]) { updates(filter: {kinds: $kinds}, after: $after) { id } }"
)


async def read(
    graph: Graph, demo: Database, query: str, variables: dict[str, Any] | None = None
) -> SubscriptionRequest:
    operation = await make_executor(graph, demo).prepare(Operation(query, variables or {}), COMMANDER)
    return subscription_request(graph, operation, COMMANDER.visibility)


@pytest.mark.parametrize(
    ("query", "variables", "other", "others"),
    [
        (PLAIN, {}, 'subscription { updates(after: "x-1") { id kind } }', {}),
        (PLAIN, {}, "subscription{updates{id,kind}} # a comment", {}),
        (PLAIN, {}, "subscription($a: String) { updates(after: $a) { id kind } }", {"a": "x-1"}),
        (
            "subscription($a: String, $k: [EventKind!]) { updates(after: $a, filter: {kinds: $k}) { id } }",
            {"a": "x-1", "k": ["HAZARD_FOUND"]},
            "subscription($k: [EventKind!]) { updates(filter: {kinds: $k}) { id } }",
            {"k": ["HAZARD_FOUND"]},
        ),
        (NAMED, {"after": "x-1"}, NAMED, {"after": "x-2"}),
        (NAMED, {"after": "x-1"}, NAMED, {}),
    ],
)
async def test_requests_that_differ_only_in_after_are_of_one_group(
    graph: Graph, demo: Database, query: str, variables: dict[str, Any], other: str, others: dict[str, Any]
) -> None:
    one, two = await read(graph, demo, query, variables), await read(graph, demo, other, others)
    assert one.key == two.key
    assert one.after == variables.get("a", variables.get("after"))


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("subscription { updates { kind id } }", {}),
        ("subscription { updates { id x: kind } }", {}),
        ("subscription { updates(filter: {kinds: [HAZARD_FOUND]}) { id kind } }", {}),
        ("subscription { hazardUpdates { id kind } }", {}),
        # The variable is used elsewhere too, so that it makes a difference.
        ("subscription($a: String) { updates(after: $a) { id kind ... on HazardUpdate { id } } }", {"a": "x"}),
    ],
)
async def test_other_requests_are_of_another_group(
    graph: Graph, demo: Database, query: str, variables: dict[str, Any]
) -> None:
    assert (await read(graph, demo, query, variables)).key != (await read(graph, demo, PLAIN)).key


async def test_variables_make_a_difference(graph: Graph, demo: Database) -> None:
    keys: list[dict[str, Any]] = [{"kinds": None}, {"kinds": ["HAZARD_FOUND"]}, {"kinds": ["HAZARD_ASSIGNED"]}]
    assert len({(await read(graph, demo, NAMED, variables)).key for variables in keys}) == 3


async def test_the_text_is_made_once_for_each_document(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    text_without = request.text_without

    def record(*arguments: Any) -> str:
        made.append(arguments)
        return text_without(*arguments)

    monkeypatch.setattr(request, "text_without", record)
    executor = make_executor(graph, demo)
    for number in range(5):
        operation = await executor.prepare(Operation(NAMED, {"after": f"x-{number}"}), COMMANDER)
        subscription_request(graph, operation, COMMANDER.visibility)
    assert len(made) == 2
