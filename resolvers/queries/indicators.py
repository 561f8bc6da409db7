"""The indicators that follow from counts of one window (formulas: resolvers/queries/portraits.py)."""

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, kw_only=True)
class Indicators:
    """Indicators of a window. Rates are fractions, None where the denominator is 0.

    `enterprises_inspected` and `coverage` are None where they were not asked for.
    """

    hazards_found: int
    hazards_rectified: int
    hazards_closed: int
    inspections: int
    enterprises_inspected: int | None
    cases_filed: int
    inspections_penalised: int
    rectification_rate: float | None
    on_time_rate: float | None
    closure_rate: float | None
    coverage: float | None
    filing_rate: float | None
    penalty_rate: float | None
    hazards_per_thousand_inspections: float | None
    major_hazards_per_thousand_inspections: float | None


@dataclass(frozen=True, kw_only=True)
class Standing(Indicators):
    """The indicators of the days up to a moment, and the hazards that are open and overdue then."""

    hazards_open: int
    hazards_overdue: int
    major_hazards_open: int


class Tally(NamedTuple):
    """The counts of a window. `enterprises` are those in scope now, `inspected` is None if it was not asked for."""

    enterprises: int
    hazards: int
    rectified: int
    closed: int
    hazards_by_inspection: int
    hazards_major_by_inspection: int
    due: int
    on_time: int
    inspections: int
    inspections_filed: int
    inspections_penalised: int
    cases_filed: int
    inspected: int | None

    def indicators(self) -> dict[str, Any]:
        """By name, the fields of Indicators."""
        return {
            "hazards_found": self.hazards,
            "hazards_rectified": self.rectified,
            "hazards_closed": self.closed,
            "inspections": self.inspections,
            "enterprises_inspected": self.inspected,
            "cases_filed": self.cases_filed,
            "inspections_penalised": self.inspections_penalised,
            "rectification_rate": ratio(self.rectified, self.hazards),
            "on_time_rate": ratio(self.on_time, self.due),
            "closure_rate": ratio(self.closed, self.hazards),
            "coverage": None if self.inspected is None else ratio(self.inspected, self.enterprises),
            "filing_rate": ratio(self.inspections_filed, self.inspections),
            "penalty_rate": ratio(self.inspections_penalised, self.inspections),
            "hazards_per_thousand_inspections": ratio(self.hazards_by_inspection, self.inspections, 1_000),
            "major_hazards_per_thousand_inspections": ratio(self.hazards_major_by_inspection, self.inspections, 1_000),
        }


def ratio(part: int, whole: int, per: int = 1) -> float | None:
    """None where the whole is 0."""
    return per * part / whole if whole else None
