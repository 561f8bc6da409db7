"""The example queries of GraphiQL and the README are valid, and the first two return what they promise."""

import re
from pathlib import Path

from graphql import parse, validate

from models.db.database import Database
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, Ask, StatementCounter, make_executor

EXAMPLES = Path(__file__).parents[2] / "web" / "ui" / "src" / "graphiql" / "examples"
README = EXAMPLES.parents[4] / "README.md"


def example(name: str) -> str:
    return (EXAMPLES / f"{name}.graphql").read_text()


async def test_the_headline_query_is_answered_in_full_by_at_most_ten_statements(graph: Graph, demo: Database) -> None:
    with StatementCounter(demo) as statements:
        response = await make_executor(graph, demo).run(Operation(example("headline-file")), COMMANDER)
    assert response.errors == []
    assert response.data is not None
    enterprises = response.data["zone"]["enterprises"]["nodes"]
    assert len(enterprises) == 50
    assert all(e["legalRepresentative"]["name"] for e in enterprises)
    hazards = [h for e in enterprises for h in e["hazards"]["nodes"]]
    inspections = [i for e in enterprises for i in e["inspections"]["nodes"]]
    assert max(len(e["hazards"]["nodes"]) for e in enterprises) == 10
    assert any(h["inspection"] for h in hazards)
    assert any(i["inspectors"] for i in inspections)
    assert any(e["controlMeasures"]["nodes"] for e in enterprises)
    assert len(statements.texts) <= 10


async def test_the_opening_scene_is_one_query(ask: Ask) -> None:
    venue = (await ask(example("opening-scene")))["venue"]
    kinds = {near["item"]["__typename"] for near in venue["nearby"]}
    assert kinds == {"Camera", "Enterprise"}
    assert all(near["distanceMetres"] <= 3000 for near in venue["nearby"])
    distances = [near["distanceMetres"] for near in venue["nearby"]]
    assert distances == sorted(distances)
    # It shows several enterprises, each with a person to call.
    assert sum(near["item"]["__typename"] == "Enterprise" for near in venue["nearby"]) >= 5
    assert all(near["item"]["safetyContact"]["phone"] for near in venue["nearby"] if "safetyContact" in near["item"])


def test_every_example_is_valid(graph: Graph) -> None:
    """All examples of GraphiQL and of the README, also those that no test runs."""
    examples = [file.read_text() for file in EXAMPLES.glob("*.graphql")]
    examples += re.findall(r"```graphql\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(examples) >= 7
    for text in examples:
        assert validate(graph._schema, parse(text)) == []
