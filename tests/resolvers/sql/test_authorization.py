"""No viewer gets a row or a value that they may not see, by whatever path: tests for each limited role."""

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from graphql import get_named_type
from sqlmodel import col

import models
from models import PERSONAL_DATA, Role, Scope, Viewer, Visibility
from models.db.database import Database
from resolvers.queries.nearby import NearbyKind
from resolvers.sql.authorization import EVERYTHING, OWNERSHIP
from schema.build import Graph, build
from schema.execution.operation import Operation
from schema.fields.source import NODES, OF_ROW, fields_of
from schema.types import node_id
from tests.conftest import COMMANDER, make_executor
from tests.support.connection_reference import rows_of
from tests.support.field_queries import graphql_name, ids_of, needed, selection

WALL = Viewer(Visibility(Role.WALL))
READER = Viewer(Visibility(Role.INTEGRATOR, frozenset({Scope.READ})))
TRUSTED = Viewer(Visibility(Role.INTEGRATOR, frozenset({Scope.READ, Scope.PERSONAL})))
SCOPELESS = Viewer(Visibility(Role.INTEGRATOR, frozenset({Scope.PERSONAL, Scope.REGISTER})))
CORE = build()._schema
PERSONAL = [
    pytest.param(of, graphql_name(field), id=f"{of.__name__}.{graphql_name(field)}")
    for of in NODES.values()
    for field in fields_of(of)
    if getattr(field, "sees", None) is PERSONAL_DATA
]


def query_of(of: Any, name: str) -> str:
    field = CORE.type_map[of.__name__].fields[name]  # type: ignore[attr-defined]  # an object type
    inner = f"{name}{needed(field)} {selection(field.type)}"
    return f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {of.__name__} {{ value: {inner} }} }} }}"


async def data_of(graph: Graph, demo: Database, viewer: Viewer, query: str, **variables: Any) -> dict[str, Any]:
    # Some queries ask for more than the limit on cost, lest a page hide a row.
    response = await make_executor(graph, demo, cost_limit=10**15).run(Operation(query, variables), viewer)
    assert response.errors == []
    assert response.data is not None
    return response.data


def test_all_personal_data_is_declared() -> None:
    """Names of people, telephone numbers and video streams, in every type."""
    declared = {param.id for param in PERSONAL}
    expected = {
        f"{of.__name__}.{name}"
        for of in OF_ROW.values()
        for name, field in CORE.type_map[of.__name__].fields.items()  # type: ignore[attr-defined]  # an object type
        if get_named_type(field.type).name == "Contact" or name in ("fullName", "phone", "streamUrl")
    }
    assert len(expected) > 10
    assert expected <= declared


@pytest.mark.parametrize(("of", "name"), PERSONAL)
async def test_personal_data_needs_the_right(graph: Graph, demo: Database, of: Any, name: str) -> None:
    parents = await ids_of(demo, of, 200)

    async def values(viewer: Viewer) -> list[Any]:
        data = await data_of(graph, demo, viewer, query_of(of, name), ids=parents)
        return [node and node["value"] for node in data["nodes"]]

    full = await values(COMMANDER)
    assert any(full)
    # A handover is for commanders alone.
    assert await values(TRUSTED) == ([None] * len(full) if of.row is models.Handover else full)
    for viewer in (WALL, READER):
        assert {repr(value) for value in await values(viewer)} <= {"None", "[]"}


async def test_evidence_as_a_whole_is_personal_data(graph: Graph, demo: Database) -> None:
    evidence = await ids_of(demo, NODES["Evidence"], 50)
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } hazards(first: 1000) { nodes { evidence { id } } } }"
    for viewer, seen in ((COMMANDER, True), (TRUSTED, True), (WALL, False), (READER, False)):
        data = await data_of(graph, demo, viewer, query, ids=evidence)
        assert any(data["nodes"]) is seen
        assert any(hazard["evidence"] for hazard in data["hazards"]["nodes"]) is seen


async def test_hidden_names_cannot_be_searched(graph: Graph, demo: Database) -> None:
    query = """query($expert: String!, $inspector: String!) {
      experts(filter: {text: $expert}) { totalCount nodes { id } }
      inspectors(filter: {text: $inspector}) { totalCount }
      search(text: $expert) { matched }
    }"""
    expert, inspector = (await rows_of(demo, models.Expert))[0], (await rows_of(demo, models.Inspector))[0]
    variables = {"expert": expert.full_name, "inspector": inspector.full_name}
    for viewer, seen in ((COMMANDER, True), (TRUSTED, True), (WALL, False), (READER, False)):
        data = await data_of(graph, demo, viewer, query, **variables)
        assert (data["experts"]["totalCount"] > 0) is seen
        assert (data["inspectors"]["totalCount"] > 0) is seen
        assert (data["search"] != []) is seen
    by_specialty = await data_of(graph, demo, WALL, query, expert=expert.specialties[0], inspector=inspector.badge)
    assert by_specialty["experts"]["totalCount"] > 0
    assert by_specialty["inspectors"]["totalCount"] == 1
    assert by_specialty["search"][0]["matched"] == expert.specialties[0]


async def test_a_program_without_the_scope_read_sees_no_rows(graph: Graph, demo: Database) -> None:
    query = '{ zones { id } hazards { totalCount nodes { id } } search(text: "1") { matched } warnings { totalCount } }'
    data = await data_of(graph, demo, SCOPELESS, query)
    assert data == {
        "zones": [],
        "hazards": {"totalCount": 0, "nodes": []},
        "search": [],
        "warnings": {"totalCount": 0},
    }


# -- an enterprise --


def gives_notice(row: Any) -> bool:
    """Whether a row would tell an enterprise that inspectors come, or that a case is being considered."""
    status, kind = getattr(row, "status", None), getattr(row, "kind", None)
    if isinstance(status, models.InspectionStatus):
        asked = kind is models.InspectionKind.ASSISTANCE and row.dispatched_at is not None
        return not asked and status.name not in ("ON_SITE", "SUBMITTED", "IN_REVIEW", "CLOSED")
    return isinstance(status, models.CaseStatus) and status.name in ("PROPOSED", "NOT_FILED")


class Own:
    """The rows that belong to an enterprise, determined in plain Python."""

    def __init__(self, enterprise: int, rows: dict[Any, list[Any]], inspectors: set[int], evidence: set[int]) -> None:
        self.viewer = Viewer(Visibility(Role.ENTERPRISE, enterprise=enterprise))
        sent = [d for d in rows[models.Dispatch] if d.enterprise_id == enterprise]
        self.keys: dict[Any, set[int]] = {
            model: {r.id for r in model_rows if getattr(r, "enterprise_id", None) == enterprise and not gives_notice(r)}
            for model, model_rows in rows.items()
        }
        self.keys |= {
            models.Enterprise: {enterprise},
            models.CommandUnit: set(),
            models.Inspector: inspectors,
            models.Team: {d.team_id for d in sent} - {None},
            models.Expert: {d.expert_id for d in sent} - {None},
            models.StockItem: {d.stock_item_id for d in sent} - {None},
            models.Evidence: evidence,
        }
        items = self.keys[models.StockItem]
        self.keys[models.Warehouse] = {i.warehouse_id for i in rows[models.StockItem] if i.id in items}

    def ids(self, name: str) -> set[str]:
        return {node_id.encode(name, key) for key in self.keys[NODES[name].row]}


LIMITED = {
    name: of
    for name, of in NODES.items()
    if of.row in OF_ROW and OWNERSHIP[of.row] is not EVERYTHING and of.row is not models.Event
}


@pytest_asyncio.fixture(scope="module")
async def own(demo: Database) -> Own:
    """The enterprise with the most kinds of stock dispatched to it, so that it owns rows of many types."""
    rows = {of.row: await rows_of(demo, of.row) for of in LIMITED.values()}
    sent = [d.enterprise_id for d in rows[models.Dispatch] if d.enterprise_id is not None]
    enterprise = max(
        sent, key=lambda e: (len({d.stock_item_id for d in rows[models.Dispatch] if d.enterprise_id == e}), e)
    )
    seen = [r.id for r in rows[models.Inspection] if r.enterprise_id == enterprise and not gives_notice(r)]
    inspections = sa.select(col(models.Inspection.id)).where(col(models.Inspection.id).in_(seen))
    hazards = sa.select(col(models.Hazard.id)).where(col(models.Hazard.enterprise_id) == enterprise)
    carried_out, of_inspection, of_hazard = models.InspectionInspector, models.InspectionEvidence, models.HazardEvidence
    async with demo.read() as connection:

        async def keys(column: Any, where: Any) -> set[int]:
            return set((await connection.execute(sa.select(column).where(where))).scalars())

        inspectors = await keys(col(carried_out.inspector_id), col(carried_out.inspection_id).in_(inspections))
        evidence = await keys(col(of_inspection.evidence_id), col(of_inspection.inspection_id).in_(inspections))
        evidence |= await keys(col(of_hazard.evidence_id), col(of_hazard.hazard_id).in_(hazards))
    return Own(enterprise, rows, inspectors, evidence)


@pytest.mark.parametrize("name", LIMITED)
async def test_an_enterprise_gets_only_its_own_rows_by_id(graph: Graph, demo: Database, own: Own, name: str) -> None:
    every = await ids_of(demo, LIMITED[name], 1000)
    data = await data_of(graph, demo, own.viewer, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=every)
    assert {node["id"] for node in data["nodes"] if node} == own.ids(name) & set(every)
    other = next(one for one in every if one not in own.ids(name))
    assert (await data_of(graph, demo, own.viewer, f'{{ node(id: "{other}") {{ id }} }}')) == {"node": None}


@pytest.mark.parametrize(
    "listing",
    [
        name
        for name, field in CORE.query_type.fields.items()  # type: ignore[union-attr]  # there is one
        if str(field.type).endswith("Connection!") and str(field.type).removesuffix("Connection!") in LIMITED
    ],
)
async def test_an_enterprise_lists_and_counts_only_its_own_rows(
    graph: Graph, demo: Database, own: Own, listing: str
) -> None:
    of = str(CORE.query_type.fields[listing].type).removesuffix("Connection!")  # type: ignore[union-attr]  # as above
    data = await data_of(
        graph,
        demo,
        own.viewer,
        f"{{ {listing}(first: 1000) {{ totalCount nodes {{ id }} edges {{ node {{ id }} }} }} }}",
    )
    assert {node["id"] for node in data[listing]["nodes"]} == own.ids(of)
    assert data[listing]["totalCount"] == len(own.ids(of))


COUNTED = "(first: 1000) { totalCount nodes { id } }"
EVERYWHERE = """query($point: PointInput!, $kinds: [NearbyKind!]!, $n: Int!) {
  district { command { id } zones {
    command { id } experts@ teams@ warehouses@ enterprises@ hazards@
    inspections(first: $n) { nodes {
      id hazards { nodes { id } } inspectors { id inspections(first: $n) { nodes { id enterprise { id } } } }
    } }
    towns { enterprises(first: 1000) { totalCount nodes {
      id nearest(kinds: $kinds, first: 1) { item { ... on Node { id } } }
    } } }
    venues {
      cameras@ nearby(kinds: $kinds, first: $n) { item { ... on Node { id } } } rings { enterprises@ }
    }
  } }
  nearby(point: $point, kinds: $kinds, first: 1000) { item { ... on Node { id } } }
  numbers: search(text: "1", first: 1000) { item { ... on Node { id } } }
  chinese: search(text: "公司", first: 1000) { item { ... on Node { id } } }
  handovers(first: 1000) { totalCount nodes { id } }
  dispatches(first: 1000) { nodes { id resource {
    ... on Node { id } ... on Team { dispatches@ } ... on StockItem { warehouse { id stock@ } }
  } } }
}""".replace("@", COUNTED)


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the data of a response."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


@pytest.mark.exhaustive
async def test_an_enterprise_reaches_no_other_rows_by_any_path(graph: Graph, demo: Database, own: Own) -> None:
    variables = {"point": {"latitude": 30.2, "longitude": 120.3}, "kinds": [k.name for k in NearbyKind]}
    reached: set[str] = set()
    for viewer in (COMMANDER, own.viewer):
        # The commander shows that the query reaches rows of all these types.
        data = await data_of(graph, demo, viewer, EVERYWHERE, n=10 if viewer is COMMANDER else 1000, **variables)
        reached = {one["id"] for one in walk(data) if one.get("id")}
        if viewer is COMMANDER:
            kinds = {node_id.decode(one)[0] for one in reached}
            assert kinds >= set(LIMITED) - {"Case", "ControlMeasure", "DutyReport", "AssistanceRequest", "Evidence"}
    allowed = set().union(*(own.ids(name) for name in LIMITED))
    assert {one for one in reached if node_id.decode(one)[0] in LIMITED} - allowed == set()
    counted = [(one["totalCount"], len(one["nodes"])) for one in walk(data) if "totalCount" in one]
    assert all(total == listed for total, listed in counted)


async def test_an_enterprise_filters_only_its_own_rows(graph: Graph, demo: Database, own: Own) -> None:
    other = next(e for e in await ids_of(demo, NODES["Enterprise"], 10) if e not in own.ids("Enterprise"))
    nowhere, executor = node_id.encode("Enterprise", 2**31 - 1), make_executor(graph, demo)
    lists = ("hazards", "inspections", "cases", "dispatches", "assistanceRequests", "controlMeasures", "dutyReports")
    for listing, name in (("enterprises", "ids"), *((listing, "enterprises") for listing in lists)):
        query = f"query($other: [ID!]) {{ {listing}(filter: {{{name}: $other}}) {{ totalCount }} }}"
        messages = []
        for key in (other, nowhere):
            response = await executor.run(Operation(query, {"other": [key]}), own.viewer)
            assert [error["extensions"]["code"] for error in response.errors] == ["NOT_FOUND"], listing
            messages.append(response.errors[0]["message"].split(":")[0])
        assert messages[0] == messages[1]
