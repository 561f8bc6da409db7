"""A page of no rows is a page: `first: 0` and `last: 0`, as Relay's specification has it, by both executors."""

from typing import Any

import pytest

from models.db.database import Database
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, make_executor

PAGE = "nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"
QUERY = f"""{{
  roots: hazards(first: 0) {{ {PAGE} }}
  last: hazards(last: 0) {{ {PAGE} }}
  none: hazards(first: 0, filter: {{text: "no hazard has this text"}}) {{ {PAGE} }}
  events(last: 0) {{ {PAGE} }}
  rows: hazards(first: 0) {{ nodes {{ id }} }}
  enterprises(first: 2) {{ nodes {{
    nearest(kinds: [TEAM], first: 0) {{ distanceMetres }} hazards(first: 0) {{ nodes {{ id }} }}
  }} }}
  nearby(point: {{latitude: 30.2, longitude: 120.3}}, kinds: [TEAM, EXPERT], first: 0) {{ distanceMetres }}
  search(text: "a", first: 0) {{ matched }}
}}"""


def page(*, after: bool, before: bool, total: int) -> dict[str, Any]:
    info = {"hasNextPage": after, "hasPreviousPage": before, "startCursor": None, "endCursor": None}
    return {"nodes": [], "edges": [], "pageInfo": info, "totalCount": total}


@pytest.mark.parametrize("planned", [True, False])
async def test_a_page_of_no_rows_tells_what_lies_beyond_it(graph: Graph, demo: Database, planned: bool) -> None:
    executor = make_executor(graph, demo, planned=planned)
    counts = await executor.run(Operation("{ hazards { totalCount } events { totalCount } }"), COMMANDER)
    assert counts.data is not None
    response = await executor.run(Operation(QUERY), COMMANDER)
    assert response.errors == []
    hazards, events = counts.data["hazards"]["totalCount"], counts.data["events"]["totalCount"]
    assert response.data == {
        "roots": page(after=True, before=False, total=hazards),
        "last": page(after=False, before=True, total=hazards),
        "none": page(after=False, before=False, total=0),
        "events": page(after=False, before=True, total=events),
        "rows": {"nodes": []},
        "enterprises": {"nodes": [{"nearest": [], "hazards": {"nodes": []}}] * 2},
        "nearby": [],
        "search": [],
    }
