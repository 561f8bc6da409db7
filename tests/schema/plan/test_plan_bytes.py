"""A plan takes no more memory than the cache of documents counts for it."""

import gc
import tracemalloc

import pytest
from graphql import OperationDefinitionNode, parse

from models import Viewer
from schema.build import Graph
from schema.plan.cache import Plan, PlanCache
from schema.plan.variables import NO_VARIABLES, Variables
from tests.conftest import COMMANDER
from tests.support.large_documents import many
from tests.support.source_files import ROOT

EXAMPLES = sorted((ROOT / "web/ui/src/graphiql/examples").glob("*.graphql"))
DOCUMENTS = {
    "one field": "{ cursor }",
    "one row": '{ enterprise(by: { id: "RW50ZXJwcmlzZTox" }) { name riskGrade } }',
    "many fields": f"{{ zones {{ {many('x#: code', 300)} }} }}",
    "many lists": f"{{ zones {{ {many('x#: enterprises(first: 5) { nodes { id name } }', 40)} }} }}",
    "many types": f"{{ events(first: 5) {{ nodes {{ {many('x#: enterprise { id name }', 20)} }} }} }}",
    **{path.stem: path.read_text("utf-8") for path in EXAMPLES if "subscription" not in path.read_text("utf-8")},
}


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> None:
    """Freezes the objects that exist already, so that they are not searched for garbage each time."""
    gc.collect()
    gc.freeze()


def compiled(graph: Graph, text: str, viewer: Viewer, *, sqlite: bool) -> tuple[Plan | None, int]:
    """The plan, and how many bytes its compilation has left allocated."""
    document = parse(text)
    [operation, *_] = (each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    variables = Variables({}, dict) if operation.variable_definitions else NO_VARIABLES
    gc.collect()
    tracemalloc.start()
    try:
        plan = PlanCache(graph, document, operation, sqlite=sqlite).compile(variables, viewer.visibility)
        gc.collect()
        return plan, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sqlite", [True, False])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_plan_takes_no_more_than_it_says(graph: Graph, name: str, sqlite: bool) -> None:
    compiled(graph, DOCUMENTS[name], COMMANDER, sqlite=sqlite)  # what is cached for all plans
    plan, allocated = compiled(graph, DOCUMENTS[name], COMMANDER, sqlite=sqlite)
    assert plan is not None
    assert allocated <= plan.bytes
