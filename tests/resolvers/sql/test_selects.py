"""A page costs the same wherever it is in its list: each order is read from an index, and nothing is sorted."""

import re

import pytest

from models.db.database import Database
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, make_executor
from tests.support.connection_reference import LISTINGS, ORDERED, Listing
from tests.support.statement_plans import plan, selects_of


async def cursor(graph: Graph, demo: Database, listing: Listing) -> str:
    query = f"{{ {listing.field}({listing.arguments}first: 5) {{ pageInfo {{ endCursor }} }} }}"
    response = await make_executor(graph, demo, planned=False).run(Operation(query), COMMANDER)
    assert response.data is not None
    return str(response.data[listing.field]["pageInfo"]["endCursor"])


def sorts(plan: str) -> bool:
    return "USE TEMP B-TREE" in plan or "Sort" in plan


@pytest.mark.parametrize("way", ["first: 3, after: $at", "last: 3, before: $at"])
@pytest.mark.parametrize("listing", LISTINGS, ids=str)
async def test_a_deep_page_of_the_root_is_read_from_an_index(
    graph: Graph, demo: Database, listing: Listing, way: str
) -> None:
    query = f"query($at: String) {{ {listing.field}({listing.arguments}{way}) {{ nodes {{ id }} }} }}"
    [(statement, parameters)] = await selects_of(graph, demo, query, await cursor(graph, demo, listing))
    steps = await plan(demo, statement, parameters)
    assert not sorts(within_the_page(steps)), steps
    # It seeks to the cursor itself, not to the start of the list or of the rows with an equal key.
    seek = r"\(rowid[<>]\?\)|=\? AND id[<>]\?\)" if demo.sqlite else r"Index Cond: \((ROW\(.*, id\)|id) [<>] "
    assert re.search(seek, steps), steps


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize("listing", [one for one in ORDERED if one.field == "enterprises"], ids=str)
async def test_a_page_within_a_zone_is_read_from_an_index(
    graph: Graph, demo: Database, listing: Listing, many: bool
) -> None:
    """For all zones in one statement, and for a single zone."""
    codes = await make_executor(graph, demo, planned=False).run(Operation("{ zones { code } }"), COMMANDER)
    assert codes.data is not None
    root = "zones" if many else f'zone(by: {{code: "{codes.data["zones"][0]["code"]}"}})'
    page = f"enterprises({listing.arguments}first: 3, after: $at) {{ nodes {{ id }} }}"
    query = f"query($at: String) {{ {root} {{ {page} }} }}"
    statement, parameters = (await selects_of(graph, demo, query, await cursor(graph, demo, listing)))[-1]
    steps = await plan(demo, statement, parameters)
    assert "ix_enterprise_zone_by_" in steps, steps
    assert "zone_id" in steps
    assert not sorts(within_the_page(steps)), steps
    assert not demo.sqlite or re.search(r"zone_id=\? AND .*=\? AND id[<>]\?", steps), steps


@pytest.mark.parametrize("listing", [one for one in ORDERED if one.field != "enterprises"], ids=str)
async def test_a_page_within_an_enterprise_is_read_from_an_index(
    graph: Graph, demo: Database, listing: Listing
) -> None:
    page = f"{listing.field}({listing.arguments}first: 3, after: $at) {{ nodes {{ id }} }}"
    query = f"query($at: String) {{ enterprises(first: 5) {{ nodes {{ {page} }} }} }}"
    statement, parameters = (await selects_of(graph, demo, query, await cursor(graph, demo, listing)))[-1]
    steps = await plan(demo, statement, parameters)
    assert f"ix_{listing.node.lower()}_enterprise_by_" in steps, steps
    assert not sorts(within_the_page(steps)), steps


def within_the_page(plan: str) -> str:
    """The part of the plan that finds the rows of each page. The few rows found are sorted at the end."""
    lines = plan.splitlines()
    for i, line in enumerate(lines):
        if "LIST SUBQUERY" in line:
            # SQLite lists the outermost step last.
            return "\n".join(one for one in lines[i:] if "ORDER BY" not in one or one is not lines[-1])
        if "Limit" in line or "WindowAgg" in line:
            return "\n".join(lines[i:])
    return plan
