"""A document is read once and kept, good or bad; those not used for longest give way, and long ones the sooner."""

from typing import Any

import pytest
from graphql import parse

from models.db.database import Database
from schema.build import Graph
from schema.execution import documents
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, make_executor


async def test_documents_are_kept_but_not_for_ever(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def noted(query: str, **given: Any) -> Any:
        read.append(query)
        return parse(query, **given)

    monkeypatch.setattr(documents, "parse", noted)
    monkeypatch.setattr(documents, "DOCUMENTS_KEPT", 3)
    running = make_executor(graph, demo)

    async def ask(number: int) -> None:
        answer = await running.run(Operation(f"{{ z{number}: zones {{ id }} }}"), COMMANDER)
        assert answer.errors == []

    for number in (0, 1, 2, 0, 1, 2):
        await ask(number)
    assert len(read) == 3
    await ask(3)  # 0 is the one that was not used for longest
    await ask(1)
    assert len(read) == 4
    await ask(0)
    assert len(read) == 5
    for number in range(100):
        await ask(number)
    assert len(running._documents._kept) == 3


async def test_a_bad_document_is_kept_too(graph: Graph, demo: Database) -> None:
    running = make_executor(graph, demo)
    for _ in range(2):
        answer = await running.run(Operation("{ nothing }"), COMMANDER)
        assert [error["extensions"]["code"] for error in answer.errors] == ["BAD_DOCUMENT"]
    assert list(running._documents._kept) == ["{ nothing }"]


async def test_of_long_documents_fewer_are_kept(graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CHARACTERS_KEPT", 1_000)
    running = make_executor(graph, demo)
    asked = [f"{{ z{number}: zones {{ id }} }} #{'x' * 300}" for number in range(5)]
    for query in asked:
        assert (await running.run(Operation(query), COMMANDER)).errors == []
    assert list(running._documents._kept) == asked[-3:]
    assert running._documents._characters == sum(map(len, asked[-3:]))
