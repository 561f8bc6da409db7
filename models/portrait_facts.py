"""Facts: what one row adds to the sums of portraits, and on which day.

Hazards that are DISMISSED, inspections that are CANCELLED or not submitted, and retired enterprises add nothing, except
that a retired enterprise's hazards, inspections and cases still count. A day is one of the district's time zone, by its
number (`date.toordinal`).

The columns that end in `_30` give the share that was done by the end of a day, of what began in the 30 days up to it.
Only rows that were done within 30 days count. Each counts from the day when it was done (the column of that day) until
30 days after it began (the column of the day when it began).
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from models.case import CaseStatus
from models.enterprise import RiskGrade
from models.hazard import HAZARD_SETTLED, HazardLevel, HazardStatus
from models.inspection import InspectionStatus

SPAN = 30  # days of the `_30` columns: the default window of a portrait
NO_DAY = 0
PENALISED = frozenset({CaseStatus.DECIDED, CaseStatus.EXECUTING, CaseStatus.CLOSED})
RECTIFIED = frozenset({HazardStatus.ACCEPTED, HazardStatus.CLOSED})

Facts = Counter[tuple[int, str]]  # by day and column of PortraitSum
DayOf = Callable[[dt.datetime], int]


class EnterpriseFields(NamedTuple):
    """The columns of an enterprise that its sums are made from."""

    id: int
    risk_grade: RiskGrade | None
    retired_at: dt.datetime | None


class HazardFields(NamedTuple):
    """The columns of a hazard that its sums are made from."""

    id: int
    enterprise_id: int
    inspection_id: int | None
    level: HazardLevel
    status: HazardStatus
    found_at: dt.datetime
    deadline: dt.datetime | None
    rectified_at: dt.datetime | None
    accepted_at: dt.datetime | None
    closed_at: dt.datetime | None


class InspectionFields(NamedTuple):
    """The columns of an inspection that its sums are made from."""

    id: int
    enterprise_id: int
    status: InspectionStatus
    submitted_at: dt.datetime | None

    @property
    def counts(self) -> bool:
        return self.submitted_at is not None and self.status is not InspectionStatus.CANCELLED


class CaseFields(NamedTuple):
    """The columns of a case that its sums are made from."""

    id: int
    inspection_id: int
    enterprise_id: int
    status: CaseStatus
    penalty_kinds: Any
    filed_at: dt.datetime | None
    decided_at: dt.datetime | None

    @property
    def is_penalty(self) -> bool:
        return self.status in PENALISED and self.penalty_kinds is not None


def add_enterprise(facts: Facts, enterprise: EnterpriseFields) -> None:
    if enterprise.retired_at is None:
        facts[NO_DAY, grade_column(enterprise.risk_grade)] += 1


def grade_column(grade: RiskGrade | None) -> str:
    return "grade_none" if grade is None else f"grade_{grade.name.lower()}"


GRADE_COLUMNS = tuple(grade_column(grade) for grade in [None, *RiskGrade])


def add_hazard(facts: Facts, hazard: HazardFields, day_of: DayOf) -> None:
    if hazard.status is HazardStatus.DISMISSED:
        return
    found_on = day_of(hazard.found_at)
    facts[found_on, "hazards"] += 1
    major = hazard.level is HazardLevel.MAJOR
    if major:
        facts[found_on, "hazards_major"] += 1
    if hazard.inspection_id is not None:
        facts[found_on, "hazards_by_inspection"] += 1
        if major:
            facts[found_on, "hazards_major_by_inspection"] += 1
    if hazard.status in RECTIFIED:
        facts[found_on, "hazards_rectified"] += 1
        if hazard.accepted_at is not None:
            accepted = day_of(hazard.accepted_at)
            facts[accepted, "accepted"] += 1
            _add_share(facts, found_on, accepted, "hazards_rectified_30", "accepted_30")
    if hazard.status is HazardStatus.CLOSED:
        facts[found_on, "hazards_closed"] += 1
    if hazard.closed_at is not None:
        closed = day_of(hazard.closed_at)
        facts[closed, "closed"] += 1
        if major:
            facts[closed, "closed_major"] += 1
        _add_share(facts, found_on, closed, "hazards_closed_30", "closed_30")
    if hazard.deadline is not None:
        _add_deadline(facts, hazard, hazard.deadline, found_on, day_of)


def _add_deadline(facts: Facts, hazard: HazardFields, deadline: dt.datetime, found_on: int, day_of: DayOf) -> None:
    day = day_of(deadline)
    facts[day, "due"] += 1
    if hazard.rectified_at is not None and hazard.rectified_at <= deadline:
        facts[day, "on_time"] += 1
    began = max(day, found_on)
    if hazard.status not in HAZARD_SETTLED:
        facts[day, "unsettled"] += 1
        facts[began, "overdue_began"] += 1
    elif (settled := hazard.accepted_at or hazard.closed_at) is not None and (ended := day_of(settled)) > began:
        facts[began, "overdue_began"] += 1
        facts[ended, "overdue_ended"] += 1


def _add_share(facts: Facts, began: int, done: int, began_column: str, done_column: str) -> None:
    """Count what began on one day and was done on another, if that was within the span."""
    if done < began + SPAN:
        facts[began, began_column] += 1
        facts[max(began, done), done_column] += 1


def add_inspection(facts: Facts, inspection: InspectionFields, cases: Iterable[CaseFields], day_of: DayOf) -> None:
    """The facts of an inspection with its cases. It counts once, however many cases it has."""
    if inspection.submitted_at is None or not inspection.counts:
        return
    submitted = day_of(inspection.submitted_at)
    facts[submitted, "inspections"] += 1
    filed = [day_of(case.filed_at) for case in cases if case.filed_at is not None]
    if filed:
        facts[submitted, "inspections_filed"] += 1
        _add_share(facts, submitted, min(filed), "inspections_filed_30", "filed_30")
    # Where nothing says when the penalty was decided, it counts from the submission on.
    decided = [day_of(case.decided_at) if case.decided_at else submitted for case in cases if case.is_penalty]
    if decided:
        facts[submitted, "inspections_penalised"] += 1
        _add_share(facts, submitted, min(decided), "inspections_penalised_30", "penalised_30")


def add_case(facts: Facts, case: CaseFields, day_of: DayOf) -> None:
    """A case counts where its enterprise is; what its inspection led to is a fact of the inspection."""
    if case.filed_at is not None:
        facts[day_of(case.filed_at), "cases_filed"] += 1


def add_inspected(facts: Facts, inspections: Sequence[InspectionFields], day_of: DayOf) -> None:
    """The facts of an enterprise that is not retired, by all of its inspections.

    `inspected_last` has its last day, and `inspected_in_month` its first day of each month. `inspected_anew` has each
    day with none in the 29 days before it, and `inspected_lapsing` each with none in the 29 days after it.
    """
    days = sorted({day_of(each.submitted_at) for each in inspections if each.submitted_at is not None and each.counts})
    if not days:
        return
    facts[days[-1], "inspected_last"] += 1
    for before, day, after in zip([None, *days], days, [*days[1:], None], strict=False):
        if before is None or month_start(before) != month_start(day):
            facts[day, "inspected_in_month"] += 1
        if before is None or day - before >= SPAN:
            facts[day, "inspected_anew"] += 1
        if after is None or after - day >= SPAN:
            facts[day, "inspected_lapsing"] += 1


def enterprises_in(facts: Facts) -> int:
    """The number of enterprises that the facts add: 1 for all facts of one that is not retired."""
    return sum(facts[NO_DAY, column] for column in GRADE_COLUMNS)


def inspected_days(facts: Facts) -> set[int]:
    """The days on which an enterprise was inspected, by all its facts, retired or not."""
    return {day for (day, column), number in facts.items() if column == "inspections" and number}


@lru_cache(maxsize=8_192)
def month_start(day: int) -> int:
    """The number of the first day of the month that a day is in."""
    return day - dt.date.fromordinal(day).day + 1
