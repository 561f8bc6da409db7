"""Portraits."""

import datetime as dt
from typing import Any

import strawberry

from models import RiskGrade
from resolvers.queries.portrait_scopes import Days
from schema.execution.context import Requester
from schema.fields.batch import BatchArgument, batch
from schema.fields.source import FieldCost


@strawberry.input(
    description="Both days inclusive, in the district's time zone; default: the last 30 days, today included."
)
class Window:
    from_: dt.date = strawberry.field(name="from", description="First day.")
    to: dt.date = strawberry.field(description="Last day.")


def days(value: Window, asker: Requester) -> Days:
    return value.from_, value.to


# The sums of a few segments of days, whatever the window; the trend costs what its days do.
PORTRAIT_COST = FieldCost(sizes=("window",), read=500)
WINDOW = {
    "window": BatchArgument("Window of days; by default the last 30, today included.", lambda: Window | None, days)
}


@strawberry.type(description="Number of enterprises with one risk grade.")
class RiskCount:
    risk_grade: RiskGrade | None = strawberry.field(description="Risk grade; null for enterprises not graded yet.")
    count: int = strawberry.field(description="Number of enterprises.")


@strawberry.type(description="One day of a trend, from midnight to midnight in the district's time zone.")
class PortraitDay:
    day: dt.date = strawberry.field(description="The day.")
    hazards_found: int = strawberry.field(description="Hazards found on this day, not dismissed.")
    hazards_rectified: int = strawberry.field(description="Hazards whose rectification was accepted on this day.")
    inspections: int = strawberry.field(description="Inspections submitted on this day.")
    cases_filed: int = strawberry.field(description="Cases filed on this day.")
    hazards_open_at_end: int = strawberry.field(
        description="Hazards open at the end of this day; for future days, as of now."
    )


@strawberry.type(
    description="Indicators over a window (画像). Rates are fractions from 0 to 1, null where the denominator is 0."
)
class Portrait:
    as_of: dt.datetime = strawberry.field(description="Time of the reading.")
    cursor: str = strawberry.field(description="Cursor of the log's end at that time.")
    from_: dt.date = strawberry.field(name="from", description="First day of the window.")
    to: dt.date = strawberry.field(description="Last day of the window.")
    enterprises: int = strawberry.field(description="Enterprises in scope now.")
    by_risk: list[RiskCount] = strawberry.field(
        description="Enterprises in scope by risk grade, the gravest first, those not graded last."
    )
    hazards_open: int = strawberry.field(description="Hazards neither closed nor dismissed, now.")
    hazards_overdue: int = strawberry.field(description="Hazards past their deadline and not accepted, now.")
    major_hazards_open: int = strawberry.field(description="Major hazards neither closed nor dismissed, now.")
    hazards_found: int = strawberry.field(description="Hazards found in the window, not dismissed.")
    hazards_rectified: int = strawberry.field(description="Hazards found in the window and accepted or closed now.")
    hazards_closed: int = strawberry.field(description="Hazards found in the window and closed now.")
    inspections: int = strawberry.field(description="Inspections submitted in the window.")
    enterprises_inspected: int = strawberry.field(
        description="Distinct enterprises of those inspections that are in scope now."
    )
    cases_filed: int = strawberry.field(description="Cases filed in the window.")
    inspections_penalised: int = strawberry.field(description="Inspections of the window that led to a penalty.")
    rectification_rate: float | None = strawberry.field(
        description="Share of hazards found in the window that are rectified (整改率); null if none was found."
    )
    on_time_rate: float | None = strawberry.field(
        description="Share of hazards whose deadline lies in the window and has passed that were rectified by it"
        " (按期整改率); null if there are none."
    )
    closure_rate: float | None = strawberry.field(
        description="Share of hazards found in the window that are closed (闭环率); null if none was found."
    )
    coverage: float | None = strawberry.field(
        description="Share of enterprises in scope that were inspected in the window (覆盖率); null if there are none."
    )
    filing_rate: float | None = strawberry.field(
        description="Share of inspections with a case filed (立案率); null without inspections."
    )
    penalty_rate: float | None = strawberry.field(
        description="Share of inspections with a penalty (检查处罚率); null without inspections."
    )
    hazards_per_thousand_inspections: float | None = strawberry.field(
        description="Hazards found by inspections, per 1,000 inspections; null without inspections."
    )
    major_hazards_per_thousand_inspections: float | None = strawberry.field(
        description="Major hazards found by inspections, per 1,000 inspections; null without inspections."
    )
    trend: list[PortraitDay] = strawberry.field(description="The days of the window in order.")


@strawberry.type(description="The indicators of one calendar month, as its rows are now; the last month is this one.")
class PortraitMonth:
    month: dt.date = strawberry.field(description="First day of the month.")
    hazards_open: int = strawberry.field(description="Hazards open at the end of the month; for this month, now.")
    hazards_overdue: int = strawberry.field(description="Hazards overdue at the end of the month; for this month, now.")
    major_hazards_open: int = strawberry.field(
        description="Major hazards open at the end of the month; for this month, now."
    )
    hazards_found: int = strawberry.field(description="Hazards found in the month, not dismissed.")
    hazards_rectified: int = strawberry.field(description="Hazards found in the month and accepted or closed now.")
    hazards_closed: int = strawberry.field(description="Hazards found in the month and closed now.")
    inspections: int = strawberry.field(description="Inspections submitted in the month.")
    enterprises_inspected: int = strawberry.field(
        description="Distinct enterprises of those inspections that are in scope now."
    )
    cases_filed: int = strawberry.field(description="Cases filed in the month.")
    inspections_penalised: int = strawberry.field(description="Inspections of the month that led to a penalty.")
    rectification_rate: float | None = strawberry.field(
        description="Share of hazards found in the month that are rectified (整改率); null if none was found."
    )
    on_time_rate: float | None = strawberry.field(
        description="Share of hazards whose deadline lies in the month and has passed that were rectified by it"
        " (按期整改率); null if there are none."
    )
    closure_rate: float | None = strawberry.field(
        description="Share of hazards found in the month that are closed (闭环率); null if none was found."
    )
    coverage: float | None = strawberry.field(
        description="Share of the enterprises in scope now that were inspected in the month (覆盖率); null without"
        " enterprises."
    )
    filing_rate: float | None = strawberry.field(
        description="Share of inspections with a case filed (立案率); null without inspections."
    )
    penalty_rate: float | None = strawberry.field(
        description="Share of inspections with a penalty (检查处罚率); null without inspections."
    )
    hazards_per_thousand_inspections: float | None = strawberry.field(
        description="Hazards found by inspections, per 1,000 inspections; null without inspections."
    )
    major_hazards_per_thousand_inspections: float | None = strawberry.field(
        description="Major hazards found by inspections, per 1,000 inspections; null without inspections."
    )


@strawberry.type(description="The band that holds the middle 80 % of an indicator's values.")
class Band:
    low: float = strawberry.field(description="Lower end, in the unit of the indicator.")
    high: float = strawberry.field(description="Upper end, in the unit of the indicator.")


def _band(what: str) -> Any:
    return strawberry.field(description=f"Band of {what}; null if fewer than three weeks have a value.")


@strawberry.type(
    description="The band in which each indicator usually lies: the middle 80 % of its values at the end of each of the"
    " last 56 days, over the 30 days up to it, as they were then. A day before the first record has no value."
)
class UsualBands:
    hazards_open: Band | None = _band("open hazards")
    hazards_overdue: Band | None = _band("overdue hazards")
    major_hazards_open: Band | None = _band("open major hazards")
    hazards_found: Band | None = _band("hazards found")
    hazards_rectified: Band | None = _band("hazards found and rectified")
    hazards_closed: Band | None = _band("hazards found and closed")
    inspections: Band | None = _band("inspections")
    enterprises_inspected: Band | None = _band("distinct enterprises inspected")
    cases_filed: Band | None = _band("cases filed")
    inspections_penalised: Band | None = _band("inspections that led to a penalty")
    rectification_rate: Band | None = _band("the rectification rate")
    on_time_rate: Band | None = _band("the on-time rate")
    closure_rate: Band | None = _band("the closure rate")
    coverage: Band | None = _band("the coverage")
    filing_rate: Band | None = _band("the filing rate")
    penalty_rate: Band | None = _band("the penalty rate")
    hazards_per_thousand_inspections: Band | None = _band("hazards per 1,000 inspections")
    major_hazards_per_thousand_inspections: Band | None = _band("major hazards per 1,000 inspections")


@strawberry.type(description="The rectification rate at the end of one day.")
class RateOfDay:
    day: dt.date = strawberry.field(description="The day, in the district's time zone.")
    rate: float | None = strawberry.field(
        description="Of the hazards found in the 30 days up to this one, the share accepted by its end, or by now for"
        " today: a fraction from 0 to 1, null if none was found."
    )


@strawberry.type(
    description="The recent past of the rectification rate (整改率), and the band in which it usually lies."
)
class RateHistory:
    days: list[RateOfDay] = strawberry.field(description="The last 30 days in order, today last.")
    usual_low: float | None = strawberry.field(
        description="Lower end of the usual band, which holds the middle 80 % of the last eight weeks' days; null if"
        " fewer than three weeks have a rate."
    )
    usual_high: float | None = strawberry.field(description="Upper end of the usual band; null as the lower one.")


# The sums of some 86 days.
HISTORY_COST = FieldCost(read=1_000)


def portrait_of(function: Any, key: int) -> Any:
    """The field with the portrait of a parent, by a batch function of its key."""
    return batch(
        function,
        key,
        description="Indicators; null for a viewer who may not see them.",
        arguments=WINDOW,
        cost=PORTRAIT_COST,
        asks={"trend": frozenset({"trend"}), "inspected": frozenset({"enterprisesInspected", "coverage"})},
    )


def monthly_trend_of(function: Any, key: int) -> Any:
    """The field with the trend of a parent over years."""
    return batch(
        function,
        key,
        description="Indicators of each calendar month in order, this one last, from the first with a record on; null"
        " for a viewer who may not see them.",
        arguments={"years": "How many years back, 1 to 10."},
        cost=FieldCost(length=120, sizes=(), read=1_000),
    )


def usual_bands_of(function: Any, key: int) -> Any:
    """The field with the usual bands of a parent."""
    return batch(
        function,
        key,
        description="The band in which each indicator of the last 30 days usually lies; null for a viewer who may not"
        " see it.",
        cost=HISTORY_COST,
    )


def rate_history_of(function: Any, key: int) -> Any:
    """The field with the history of a parent's rectification rate."""
    return batch(
        function,
        key,
        description="Recent past and usual band of the rectification rate; null for a viewer who may not see it.",
        cost=HISTORY_COST,
    )
