"""Mutations of warnings and rainfall readings."""

from resolvers.actions import warnings
from resolvers.actions.warnings import MILLIMETRES_MAXIMUM
from schema.fields.bulk_mutation import bulk_mutation
from schema.fields.directives import Argument, Limits, Unit
from schema.fields.mutation import RowId, mutation
from schema.types.warning import Warning
from schema.types.zone import Zone

REPORT = mutation(
    "rainfallReport",
    warnings.report_rainfall,
    "Report the rain in a zone since its last reading; raises and lifts warnings automatically (雨量上报).",
    {
        "zone": RowId("Zone", "The zone."),
        "millimetres": Argument(
            "Rain in millimetres, 0 to 2,000.", [Limits(min=0, max=MILLIMETRES_MAXIMUM), Unit(symbol="mm")]
        ),
        "at": "Time of the reading; by default now.",
    },
    {"zone": Zone | None, "warnings": list[Warning]},
    success="RainfallReported",
    subject=False,
)
MUTATIONS = (
    REPORT,
    bulk_mutation(
        "readingsReport",
        REPORT,
        "Report up to 1,000 readings of rain, in their order and each as rainfallReport does (批量雨量上报).",
        success="ReadingsReported",
    ),
    mutation(
        "warningIssue",
        warnings.issue,
        "Issue a warning (发布预警).",
        {
            "kind": "Kind of the warning.",
            "level": "Level of the warning.",
            "headline": "Headline.",
            "zone": RowId("Zone", "The zone; by default the whole district."),
        },
        {"warning": Warning},
        success="WarningIssued",
        subject=False,
    ),
    mutation(
        "warningLift",
        warnings.lift,
        "Lift a warning (解除预警).",
        {"warning": RowId("Warning", "The warning.")},
        {"warning": Warning},
        success="WarningLifted",
    ),
)
