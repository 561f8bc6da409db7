"""Portraits."""

import datetime as dt

import strawberry

from models import RiskGrade
from resolvers.queries.portrait_counts import Days
from schema.execution.context import Requester
from schema.fields.batch import BatchArgument


@strawberry.input(
    description="Both days inclusive, in the district's time zone; default: the last 30 days, today included."
)
class Window:
    from_: dt.date = strawberry.field(name="from", description="First day.")
    to: dt.date = strawberry.field(description="Last day.")


def days(value: Window, asker: Requester) -> Days:
    return value.from_, value.to


WINDOW = {"window": BatchArgument("The days; without it the last 30, today included.", lambda: Window | None, days)}


@strawberry.type(description="How many enterprises have a grade of risk.")
class RiskCount:
    risk_grade: RiskGrade | None = strawberry.field(description="The grade; null for those not graded yet.")
    count: int = strawberry.field(description="How many enterprises.")


@strawberry.type(description="One day of a trend, from midnight to midnight in the district's zone.")
class PortraitDay:
    day: dt.date = strawberry.field(description="The day.")
    hazards_found: int = strawberry.field(description="Hazards found on it, not dismissed.")
    hazards_rectified: int = strawberry.field(description="Hazards whose rectification was accepted on it.")
    inspections: int = strawberry.field(description="Inspections submitted on it.")
    cases_filed: int = strawberry.field(description="Cases filed on it.")
    hazards_open_at_end: int = strawberry.field(description="Hazards open at its end; for days to come, as of now.")


@strawberry.type(
    description="Indicators over a window (画像). Rates are fractions from 0 to 1, null where the denominator is 0."
)
class Portrait:
    as_of: dt.datetime = strawberry.field(description="The moment that it was drawn.")
    cursor: str = strawberry.field(description="The log's end at that moment.")
    from_: dt.date = strawberry.field(name="from", description="First day of the window.")
    to: dt.date = strawberry.field(description="Last day of the window.")
    enterprises: int = strawberry.field(description="Enterprises in scope now.")
    by_risk: list[RiskCount] = strawberry.field(description="The same by grade, the gravest first, not graded last.")
    hazards_open: int = strawberry.field(description="Hazards neither closed nor dismissed, now.")
    hazards_overdue: int = strawberry.field(description="Hazards past their deadline and not accepted, now.")
    major_hazards_open: int = strawberry.field(description="Major hazards neither closed nor dismissed, now.")
    hazards_found: int = strawberry.field(description="Hazards found in the window, not dismissed.")
    hazards_rectified: int = strawberry.field(description="Of those, accepted or closed now.")
    hazards_closed: int = strawberry.field(description="Of those found, closed now.")
    inspections: int = strawberry.field(description="Inspections submitted in the window.")
    enterprises_inspected: int = strawberry.field(description="Distinct enterprises of those inspections.")
    cases_filed: int = strawberry.field(description="Cases filed in the window.")
    inspections_penalised: int = strawberry.field(description="Inspections of the window that led to a penalty.")
    rectification_rate: float | None = strawberry.field(
        description="Rectified of found (整改率); null if none was found."
    )
    on_time_rate: float | None = strawberry.field(
        description="Of hazards whose deadline lies in the window and has passed, those rectified by it (按期整改率);"
        " null if there are none."
    )
    closure_rate: float | None = strawberry.field(description="Closed of found (闭环率); null if none was found.")
    coverage: float | None = strawberry.field(
        description="Enterprises inspected of those in scope (覆盖率); null if there are none."
    )
    filing_rate: float | None = strawberry.field(
        description="Inspections with a case filed, of inspections (立案率); null without inspections."
    )
    penalty_rate: float | None = strawberry.field(
        description="Inspections with a penalty, of inspections (检查处罚率); null without inspections."
    )
    hazards_per_thousand_inspections: float | None = strawberry.field(
        description="Hazards found by inspections for each 1,000 of them; null without inspections."
    )
    major_hazards_per_thousand_inspections: float | None = strawberry.field(
        description="Major hazards found by inspections for each 1,000 of them; null without inspections."
    )
    trend: list[PortraitDay] = strawberry.field(description="Day by day through the window.")
