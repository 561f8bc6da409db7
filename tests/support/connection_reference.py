"""Every connection of the root with each of its orders, and the same orders in plain Python."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.tables import table_of
from schema.types import node_id

FIRST, LAST = dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)
By = Callable[[Any], Any]


@dataclass(frozen=True)
class Listing:
    """A connection in one order. `by` gives a row's sort key; rows with equal keys are sorted by primary key."""

    field: str
    node: str
    model: Any
    by: By
    descending: bool = False
    order: str | None = None

    def __str__(self) -> str:
        direction = "DESCENDING" if self.descending else "ASCENDING"
        return f"{self.field}-{self.order}-{direction}" if self.order else self.field

    @property
    def arguments(self) -> str:
        """The order as an argument, followed by a comma."""
        if self.order is None:
            return ""
        return f"orderBy: {{field: {self.order}, direction: {'DESCENDING' if self.descending else 'ASCENDING'}}}, "

    def place(self, row: Any) -> tuple[Any, int]:
        return self.by(row), row.id

    def sorted(self, rows: list[Any]) -> list[Any]:
        return sorted(rows, key=self.place, reverse=self.descending)

    def id(self, row: Any) -> str:
        return node_id.encode(self.node, row.id)


def plain(row: Any) -> int:
    return 0  # the primary key alone decides


def or_first(name: str) -> By:
    return lambda row: getattr(row, name) or FIRST


def or_last(name: str) -> By:
    return lambda row: getattr(row, name) or LAST


ENTERPRISES: dict[str, By] = {
    "NAME": lambda row: row.name,
    "RISK_GRADE": lambda row: row.risk_grade.value if row.risk_grade else 0,
    "OPEN_HAZARDS": lambda row: row.open_hazards,
    "LAST_INSPECTED": or_first("last_inspected_at"),
    "UPDATED_AT": lambda row: row.updated_at,
}
HAZARDS: dict[str, By] = {
    "FOUND_AT": lambda row: row.found_at,
    "DEADLINE": or_last("deadline"),
    "LEVEL": lambda row: row.level.value,
}
INSPECTIONS: dict[str, By] = {"PLANNED_FOR": or_first("planned_for"), "SUBMITTED_AT": or_first("submitted_at")}
CASES: dict[str, By] = {
    "FILED_AT": or_first("filed_at"),
    "DECIDED_AT": or_first("decided_at"),
    "FINE": lambda row: -1 if row.fine_yuan is None else row.fine_yuan,
}

ORDERED = [
    Listing(field, node, model, by, descending, order)
    for field, node, model, orders in (
        ("enterprises", "Enterprise", models.Enterprise, ENTERPRISES),
        ("hazards", "Hazard", models.Hazard, HAZARDS),
        ("inspections", "Inspection", models.Inspection, INSPECTIONS),
        ("cases", "Case", models.Case, CASES),
    )
    for order, by in orders.items()
    for descending in (False, True)
]
LISTINGS = [
    *ORDERED,
    Listing("enterprises", "Enterprise", models.Enterprise, plain),
    Listing("hazards", "Hazard", models.Hazard, HAZARDS["FOUND_AT"], True),
    Listing("inspections", "Inspection", models.Inspection, INSPECTIONS["PLANNED_FOR"], True),
    Listing("cases", "Case", models.Case, plain, True),
    Listing("dispatches", "Dispatch", models.Dispatch, plain, True),
    Listing("assistanceRequests", "AssistanceRequest", models.AssistanceRequest, plain, True),
    Listing("handovers", "Handover", models.Handover, plain, True),
    Listing("warnings", "Warning", models.Warning, lambda row: row.issued_at, True),
    Listing("venues", "Venue", models.Venue, plain),
    Listing("experts", "Expert", models.Expert, plain),
    Listing("teams", "Team", models.Team, plain),
    Listing("warehouses", "Warehouse", models.Warehouse, plain),
    Listing("inspectors", "Inspector", models.Inspector, plain),
    Listing("cameras", "Camera", models.Camera, plain),
    Listing("towns", "Town", models.Town, plain),
    Listing("controlMeasures", "ControlMeasure", models.ControlMeasure, plain),
    Listing("dutyReports", "DutyReport", models.DutyReport, plain, True),
]


async def rows_of(database: Database, model: Any) -> list[Any]:
    """All rows of a table, in any order."""
    async with database.read() as connection:
        return list((await connection.execute(sa.select(table_of(model)))).all())
