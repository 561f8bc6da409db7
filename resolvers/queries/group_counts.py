"""Counts hazards, inspections, cases and enterprises by up to three of their fields and over time, in one statement.

Rows for which a field is not known are a group of their own. Conditions and rights are those of the nouns' lists.
"""

import datetime as dt
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, bindparam
from sqlmodel import AutoString

import models
from models import RiskGrade
from models.db.tables import table_of
from models.notice import SHOWN_KINDS
from models.reason import Reason
from models.visibility import INTERNALS
from resolvers.errors import ErrorCode, RequestError, argument_range
from resolvers.sql import authorization, selects
from resolvers.sql.named_rows import require_rows
from resolvers.sql.pagination import PAGE_MAXIMUM
from resolvers.sql.predicates import Conditions, Predicate
from resolvers.sql.prepared import cached_select
from resolvers.sql.readers import Reader

DIMENSIONS_MAXIMUM = 3


class HazardDimension(enum.Enum):
    LEVEL = "level"
    STATUS = "status"
    CATEGORY = "category"
    INSPECTION = "inspection"
    ENTERPRISE = "enterprise"
    RISK_GRADE = "risk_grade"
    TOWN = "town"
    ZONE = "zone"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class HazardDate(enum.Enum):
    FOUND_AT = "found_at"
    DEADLINE = "deadline"
    RECTIFIED_AT = "rectified_at"
    ACCEPTED_AT = "accepted_at"
    CLOSED_AT = "closed_at"


class InspectionDimension(enum.Enum):
    KIND = "kind"
    STATUS = "status"
    RESULT = "result"
    REINSPECTION_OF = "reinspection_of"
    ASSISTANCE_REQUEST = "assistance_request"
    ENTERPRISE = "enterprise"
    RISK_GRADE = "risk_grade"
    TOWN = "town"
    ZONE = "zone"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class InspectionDate(enum.Enum):
    PLANNED_FOR = "planned_for"
    DISPATCHED_AT = "dispatched_at"
    ARRIVED_AT = "arrived_at"
    SUBMITTED_AT = "submitted_at"
    CLOSED_AT = "closed_at"


class CaseDimension(enum.Enum):
    STATUS = "status"
    INSPECTION = "inspection"
    ENTERPRISE = "enterprise"
    RISK_GRADE = "risk_grade"
    TOWN = "town"
    ZONE = "zone"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class CaseDate(enum.Enum):
    FILED_AT = "filed_at"
    DECIDED_AT = "decided_at"
    CLOSED_AT = "closed_at"


class EnterpriseDimension(enum.Enum):
    RISK_GRADE = "risk_grade"
    INDUSTRY = "industry"
    HAZARDOUS_CHEMICALS = "hazardous_chemicals"
    MAJOR_HAZARD_LEVEL = "major_hazard_level"
    TOWN = "town"
    ZONE = "zone"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class EnterpriseDate(enum.Enum):
    LAST_INSPECTED_AT = "last_inspected_at"
    UPDATED_AT = "updated_at"


class CountOrder(enum.Enum):
    GROUP = "group"
    COUNT = "count"


PERIODS = frozenset({"day", "week", "month"})
# Dimensions of the enterprise to which a row belongs.
OF_ENTERPRISE = frozenset({"risk_grade", "town", "zone"})
# By dimension, the model of the row that it refers to.
REFERENCES: dict[str, Any] = {
    "enterprise": models.Enterprise,
    "inspection": models.Inspection,
    "reinspection_of": models.Inspection,
    "assistance_request": models.AssistanceRequest,
    "town": models.Town,
    "zone": models.Zone,
}


@dataclass(slots=True)
class Group:
    """How many rows have the same values in the dimensions asked for. The others are None, and so are unknown ones.

    `period` is the first day of a day, week or month. Rows are (model, key).
    """

    count: int
    level: Any = None
    status: Any = None
    kind: Any = None
    result: Any = None
    category: str | None = None
    industry: str | None = None
    risk_grade: RiskGrade | None = None
    hazardous_chemicals: bool | None = None
    major_hazard_level: int | None = None
    period: dt.date | None = None
    enterprise: tuple[Any, int] | None = None
    inspection: tuple[Any, int] | None = None
    reinspection_of: tuple[Any, int] | None = None
    assistance_request: tuple[Any, int] | None = None
    town: tuple[Any, int] | None = None
    zone: tuple[Any, int] | None = None


async def hazards(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    by: list[HazardDimension],
    date: HazardDate = HazardDate.FOUND_AT,
    filter: Conditions = (),
    order: CountOrder = CountOrder.GROUP,
    first: int = PAGE_MAXIMUM,
) -> list[list[Group]]:
    """Hazards by dimensions. Raises RequestError."""
    return [await _count(reader, models.Hazard, by, date, filter, order, first)] * len(parents)


async def inspections(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    by: list[InspectionDimension],
    date: InspectionDate = InspectionDate.SUBMITTED_AT,
    filter: Conditions = (),
    order: CountOrder = CountOrder.GROUP,
    first: int = PAGE_MAXIMUM,
) -> list[list[Group]]:
    """Inspections by dimensions. Raises RequestError."""
    return [await _count(reader, models.Inspection, by, date, filter, order, first)] * len(parents)


async def cases(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    by: list[CaseDimension],
    date: CaseDate = CaseDate.FILED_AT,
    filter: Conditions = (),
    order: CountOrder = CountOrder.GROUP,
    first: int = PAGE_MAXIMUM,
) -> list[list[Group]]:
    """Cases by dimensions. Raises RequestError."""
    return [await _count(reader, models.Case, by, date, filter, order, first)] * len(parents)


async def enterprises(
    reader: Reader,
    parents: Sequence[tuple[()]],
    *,
    by: list[EnterpriseDimension],
    date: EnterpriseDate = EnterpriseDate.LAST_INSPECTED_AT,
    filter: Conditions = (),
    order: CountOrder = CountOrder.GROUP,
    first: int = PAGE_MAXIMUM,
) -> list[list[Group]]:
    """Enterprises by dimensions. Raises RequestError."""
    return [await _count(reader, models.Enterprise, by, date, filter, order, first)] * len(parents)


async def _count(
    reader: Reader,
    model: Any,
    by: Sequence[enum.Enum],
    date: enum.Enum,
    filter: Conditions,
    order: CountOrder,
    first: int,
) -> list[Group]:
    names = tuple(str(dimension.value) for dimension in by)
    _check(names, first)
    if named := [rows for condition in filter for rows in condition.named]:
        await require_rows(reader, named)
    visibility = reader.viewer.visibility
    conditions = [*filter, *authorization.row_conditions(model, visibility)]
    question = Question(model, names, str(date.value), order, first, visibility.allows(INTERNALS))
    statement = _statement(question, tuple(c.predicate for c in conditions), reader.sqlite)
    values = {**selects.parameters(conditions, reader), "zone": str(reader.zone)}
    rows = await reader.rows(statement, values)
    if len(rows) > first and order is CountOrder.GROUP:
        reason = Reason(
            "GROUPS",
            "There are more than {first:,} groups. Ask for fewer dimensions, narrow the filter, raise `first` (up to"
            " {maximum:,}), or take the largest groups by `order: COUNT`.",
            first=first,
            maximum=PAGE_MAXIMUM,
        )
        raise RequestError(ErrorCode.TOO_LARGE, reason)
    return [_group(names, row) for row in rows[:first]]


def _check(names: tuple[str, ...], first: int) -> None:
    """Raises RequestError."""
    if not 1 <= first <= PAGE_MAXIMUM:
        raise RequestError(ErrorCode.BAD_PAGE, argument_range("first", 1, PAGE_MAXIMUM))
    if not 1 <= len(names) <= DIMENSIONS_MAXIMUM or len(set(names)) < len(names):
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason("DIMENSIONS", "`by` takes 1 to {maximum} different dimensions.", maximum=DIMENSIONS_MAXIMUM),
        )
    if len(PERIODS.intersection(names)) > 1:
        raise RequestError(ErrorCode.BAD_INPUT, Reason("DIMENSIONS_OF_TIME", "`by` takes one of DAY, WEEK and MONTH."))


def _group(names: tuple[str, ...], row: Any) -> Group:
    group = Group(row[-1])
    for name, value in zip(names, row, strict=False):
        if name in REFERENCES and value is not None:
            value = REFERENCES[name], value
        setattr(group, "period" if name in PERIODS else name, value)
    return group


# -- the statement --


@dataclass(frozen=True, slots=True)
class Question:
    """A count of the rows of `model` by the dimensions `names`. `date` is the column of periods.

    `internals` says whether the viewer sees why an inspection takes place.
    """

    model: Any
    names: tuple[str, ...]
    date: str
    order: CountOrder
    first: int
    internals: bool


@cached_select
def _statement(question: Question, predicates: tuple[Predicate, ...], sqlite: bool) -> sa.Select[Any]:
    table = table_of(question.model)
    source: FromClause = table
    enterprise: FromClause = table
    if question.model is not models.Enterprise:
        enterprise = table_of(models.Enterprise).alias("of_enterprise")
        if OF_ENTERPRISE.intersection(question.names):
            source = table.join(enterprise, enterprise.c.id == table.c.enterprise_id)
    columns = [_dimension(question, name, enterprise, sqlite).label(f"d{i}") for i, name in enumerate(question.names)]
    # A subquery, because a GROUP BY would not recognise an expression with a parameter.
    rows = sa.select(*columns).select_from(source).where(*selects.where(predicates, sqlite)).subquery("counted")
    count = sa.func.count().label("count")
    order = [_sortable(column, sqlite).asc().nulls_last() for column in rows.c]
    if question.order is CountOrder.COUNT:
        order.insert(0, count.desc())
    size = sa.literal_column(str(question.first + 1), sa.Integer)
    return sa.select(*rows.c, count).group_by(*rows.c).order_by(*order).limit(size)


def _dimension(question: Question, name: str, enterprise: FromClause, sqlite: bool) -> ColumnElement[Any]:
    table = table_of(question.model)
    if name in PERIODS:
        return _period(table.c[question.date], name, sqlite)
    of = enterprise if name in OF_ENTERPRISE else table
    column: ColumnElement[Any] = of.c[f"{name}_id" if name in REFERENCES else name]
    if question.model is models.Inspection and name == "kind" and not question.internals:
        literals = [
            tuple(sa.literal(member, column.type, literal_execute=True) for member in pair)
            for pair in SHOWN_KINDS.items()
        ]
        return sa.type_coerce(
            sa.case(*((column == kind, shown) for kind, shown in literals), else_=column), column.type
        )
    return column


def _period(time: ColumnElement[Any], name: str, sqlite: bool) -> ColumnElement[Any]:
    """The first day of the period in the district's time zone that has the time. Weeks begin on Monday."""
    zone = bindparam("zone", type_=sa.String)
    if not sqlite:
        local = sa.func.date_trunc(sa.literal_column(f"'{name}'"), sa.func.timezone(zone, time))
        return sa.cast(local, sa.Date)
    day = sa.func.local_day(sa.type_coerce(time, sa.String), zone, type_=sa.String)
    steps = {"day": [], "week": ["'weekday 0'", "'-6 days'"], "month": ["'start of month'"]}[name]
    return sa.type_coerce(sa.func.date(day, *(sa.literal_column(step) for step in steps)), sa.Date)


def _sortable(column: ColumnElement[Any], sqlite: bool) -> ColumnElement[Any]:
    """Texts by their code points, whatever the locale of the database."""
    if sqlite or not isinstance(column.type, sa.String | AutoString):
        return column
    return sa.collate(sa.type_coerce(column, sa.String), "C")
