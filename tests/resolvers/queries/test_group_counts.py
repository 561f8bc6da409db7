"""Counts by dimensions against counting the rows themselves."""

import datetime as dt
import enum
from collections import Counter
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import orjson
import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers.queries import group_counts
from schema.build import Graph
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import COMMANDER, SHANGHAI, StatementCounter, make_executor
from tests.support.sample_values import richest

REFERENCES = {
    "ENTERPRISE": "Enterprise",
    "INSPECTION": "Inspection",
    "REINSPECTION_OF": "Inspection",
    "ASSISTANCE_REQUEST": "AssistanceRequest",
    "TOWN": "Town",
    "ZONE": "Zone",
}
PERIODS = ("DAY", "WEEK", "MONTH")
OF_ENTERPRISE = ("RISK_GRADE", "TOWN", "ZONE")
SELECTED = {
    "hazard": "count period riskGrade town { id } zone { id } level status category inspection { id }"
    " enterprise { id }",
    "inspection": "count period riskGrade town { id } zone { id } kind status result enterprise { id }"
    " reinspectionOf { id } assistanceRequest { id }",
    "case": "count period riskGrade town { id } zone { id } status inspection { id } enterprise { id }",
    "enterprise": "count period riskGrade town { id } zone { id } industry hazardousChemicals majorHazardLevel",
}
MODELS: dict[str, Any] = {
    "hazard": models.Hazard,
    "inspection": models.Inspection,
    "case": models.Case,
    "enterprise": models.Enterprise,
}
DIMENSIONS: dict[str, type[enum.Enum]] = {
    "hazard": group_counts.HazardDimension,
    "inspection": group_counts.InspectionDimension,
    "case": group_counts.CaseDimension,
    "enterprise": group_counts.EnterpriseDimension,
}
DATES = {
    "hazard": ("FOUND_AT", "DEADLINE", "CLOSED_AT"),
    "inspection": ("SUBMITTED_AT", "PLANNED_FOR"),
    "case": ("FILED_AT", "DECIDED_AT"),
    "enterprise": ("LAST_INSPECTED_AT", "UPDATED_AT"),
}


class Rows:
    """All rows of the demo, for counting them in Python."""

    def __init__(self, rows: dict[str, list[Any]]) -> None:
        self.rows = rows
        self._enterprises = {row.id: row for row in rows["enterprise"]}

    def value(self, noun: str, row: Any, dimension: str, date: str) -> Any:
        """A dimension's value as an answer shows it."""
        if dimension in PERIODS:
            time = getattr(row, date.lower())
            return None if time is None else str(first_day(time.astimezone(SHANGHAI).date(), dimension))
        if dimension in OF_ENTERPRISE and noun != "enterprise":
            row = self._enterprises[row.enterprise_id]
        if dimension in REFERENCES:
            key = getattr(row, f"{dimension.lower()}_id")
            return None if key is None else node_id.encode(REFERENCES[dimension], key)
        value = getattr(row, dimension.lower())
        return getattr(value, "name", value)

    def counts(
        self, noun: str, by: list[str], date: str, keep: Callable[[Any], bool] = lambda row: True
    ) -> Counter[Any]:
        kept = (row for row in self.rows[noun] if keep(row))
        return Counter(tuple(self.value(noun, row, dimension, date) for dimension in by) for row in kept)


def first_day(day: dt.date, period: str) -> dt.date:
    if period == "WEEK":
        return day - dt.timedelta(days=day.weekday())
    return day.replace(day=1) if period == "MONTH" else day


def shown(group: dict[str, Any], dimension: str) -> Any:
    first, *rest = dimension.lower().split("_")
    value = group["period" if dimension in PERIODS else first + "".join(word.capitalize() for word in rest)]
    return value["id"] if isinstance(value, dict) else value


@pytest_asyncio.fixture(scope="module")
async def rows(demo: Database) -> AsyncIterator[Rows]:
    async with demo.read() as connection:
        yield Rows({n: list((await connection.execute(sa.select(m.__table__))).all()) for n, m in MODELS.items()})


class Asker:
    """Asks for counts with a plan and without, and has both compared."""

    def __init__(self, graph: Graph, database: Database) -> None:
        self._executors = [make_executor(graph, database, planned=planned) for planned in (True, False)]

    async def ask(self, query: str, viewer: Viewer = COMMANDER) -> Any:
        planned, plain = [await executor.run(Operation(query), viewer) for executor in self._executors]
        assert planned.json() == plain.json()
        assert planned.written is not None or planned.errors
        return orjson.loads(planned.json())

    async def counts(self, noun: str, by: list[str], more: str = "", viewer: Viewer = COMMANDER) -> list[Any]:
        query = f"{{ {noun}Counts(by: [{' '.join(by)}] {more}) {{ {SELECTED[noun]} }} }}"
        answer = await self.ask(query, viewer)
        assert "errors" not in answer, answer
        groups: list[Any] = answer["data"][f"{noun}Counts"]
        return groups


@pytest.mark.exhaustive
async def test_counts_are_those_of_the_rows(demo: Database, graph: Graph, rows: Rows) -> None:
    asker, rng, unknown = Asker(graph, demo), Random(2), 0
    for noun in MODELS:
        dimensions = [member.name for member in DIMENSIONS[noun]]
        for dimension in dimensions:
            others = [d for d in dimensions if d != dimension and not {d, dimension} <= set(PERIODS)]
            by, date = (
                [dimension, *rng.sample([d for d in others if d not in PERIODS], rng.choice((0, 1, 1)))],
                DATES[noun],
            )
            expected = rows.counts(noun, by, at := rng.choice(date))
            groups = await asker.counts(noun, by, f"date: {at} order: COUNT")
            answered = Counter({tuple(shown(g, d) for d in by): g["count"] for g in groups})
            assert answered == Counter(dict(expected.most_common(1_000))) or len(expected) > 1_000, (noun, by, at)
            assert [g["count"] for g in groups] == sorted(expected.values(), reverse=True)[:1_000]
            unknown += any(None in key for key in answered)
    assert unknown > 10


async def test_groups_come_in_order_and_unknown_last(demo: Database, graph: Graph, rows: Rows) -> None:
    asker = Asker(graph, demo)
    groups = await asker.counts("hazard", ["LEVEL", "MONTH"], "date: CLOSED_AT")
    keys = [(g["level"], g["period"]) for g in groups]
    assert keys == sorted(keys, key=lambda k: (k[0] == "MAJOR", k[1] is None, k[1] or ""))
    assert keys[-1] == ("MAJOR", None)
    categories = [g["category"] for g in await asker.counts("hazard", ["CATEGORY"])]
    texts = [c for c in categories if c is not None]
    assert texts == sorted(texts)
    assert len(texts) > 3
    largest = await asker.counts("hazard", ["ENTERPRISE"], "order: COUNT first: 3")
    assert [g["count"] for g in largest] == [n for _, n in rows.counts("hazard", ["ENTERPRISE"], "").most_common(3)]


async def test_the_lists_filters_and_rights_apply(demo: Database, graph: Graph, rows: Rows) -> None:
    asker = Asker(graph, demo)
    groups = await asker.counts("hazard", ["STATUS"], 'filter: {levels: [MAJOR] foundSince: "2026-05-01"}')
    since = dt.datetime(2026, 5, 1, tzinfo=SHANGHAI)
    kept = rows.counts("hazard", ["STATUS"], "", lambda h: h.level is models.HazardLevel.MAJOR and h.found_at >= since)
    assert {(g["status"],): g["count"] for g in groups} == kept != {}

    [own] = await richest(demo, 1)
    enterprise = Viewer(Visibility(Role.ENTERPRISE, enterprise=own))
    groups = await asker.counts("hazard", ["ENTERPRISE", "LEVEL"], viewer=enterprise)
    kept = rows.counts("hazard", ["ENTERPRISE", "LEVEL"], "", lambda h: h.enterprise_id == own)
    assert {(shown(g, "ENTERPRISE"), g["level"]): g["count"] for g in groups} == kept != {}
    assert sum(g["count"] for g in await asker.counts("enterprise", ["ZONE"], viewer=enterprise)) == 1
    unread = Viewer(Visibility(Role.INTEGRATOR))
    assert await asker.counts("case", ["STATUS"], viewer=unread) == []


async def test_an_enterprise_does_not_learn_of_complaints(demo: Database, graph: Graph, rows: Rows) -> None:
    asker = Asker(graph, demo)
    complaints = [
        i
        for i in rows.rows["inspection"]
        if i.kind is models.InspectionKind.COMPLAINT and i.status is models.InspectionStatus.CLOSED
    ]
    viewer = Viewer(Visibility(Role.ENTERPRISE, enterprise=complaints[0].enterprise_id))
    kinds = {g["kind"]: g["count"] for g in await asker.counts("inspection", ["KIND"], viewer=viewer)}
    assert "COMPLAINT" not in kinds
    listed = await asker.ask("{ inspections(first: 1000) { nodes { kind } } }", viewer)
    assert kinds == Counter(node["kind"] for node in listed["data"]["inspections"]["nodes"])


async def test_one_statement_answers(demo: Database, graph: Graph) -> None:
    executor = make_executor(graph, demo)
    query = "{ inspectionCounts(by: [KIND RISK_GRADE WEEK]) { count kind riskGrade period } }"
    with StatementCounter(demo) as counter:
        answer = await executor.run(Operation(query), COMMANDER)
    assert not answer.errors
    assert len(counter.texts) == 1


async def test_bad_requests_are_refused(demo: Database, graph: Graph) -> None:
    asker = Asker(graph, demo)
    for arguments, code in (
        ("by: []", "BAD_INPUT"),
        ("by: [LEVEL STATUS CATEGORY MONTH]", "BAD_INPUT"),
        ("by: [LEVEL LEVEL]", "BAD_INPUT"),
        ("by: [DAY MONTH]", "BAD_INPUT"),
        ("by: [LEVEL] first: 0", "BAD_PAGE"),
        ("by: [LEVEL] first: 1001", "BAD_PAGE"),
        ("by: [ENTERPRISE CATEGORY DAY]", "TOO_LARGE"),
        ("by: [STATUS] first: 2", "TOO_LARGE"),
        ('by: [STATUS] filter: {zoneCodes: ["NOWHERE"]}', "NOT_FOUND"),
    ):
        [error] = (await asker.ask(f"{{ hazardCounts({arguments}) {{ count }} }}"))["errors"]
        assert error["extensions"]["code"] == code, arguments
    # The largest ones are asked for.
    assert len(await asker.counts("hazard", ["STATUS"], "order: COUNT first: 2")) == 2
