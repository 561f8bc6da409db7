"""Mutations of warnings and readings."""

from resolvers.actions import warnings
from schema.fields.mutation import RowId, mutation
from schema.types.warning import Warning
from schema.types.zone import Zone

MUTATIONS = (
    mutation(
        "rainfallReport",
        warnings.report_rainfall,
        "What fell on a zone since the reading before; it raises and lifts warnings by itself (雨量上报).",
        {
            "zone": RowId("Zone", "Which zone."),
            "millimetres": "How much, in millimetres.",
            "at": "When it was read; now without it.",
        },
        {"zone": Zone, "warnings": list[Warning]},
        success="RainfallReported",
        subject=False,
    ),
    mutation(
        "warningIssue",
        warnings.issue,
        "Issue a warning (发布预警).",
        {
            "kind": "Of what.",
            "level": "How grave.",
            "headline": "What it says.",
            "zone": RowId("Zone", "For which zone; without it, for the whole district."),
        },
        {"warning": Warning},
        success="WarningIssued",
        subject=False,
    ),
    mutation(
        "warningLift",
        warnings.lift,
        "Lift a warning (解除预警).",
        {"warning": RowId("Warning", "Which warning.")},
        {"warning": Warning},
        success="WarningLifted",
    ),
)
