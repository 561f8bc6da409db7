"""Counts of hazards, inspections, cases and enterprises by their fields and over time."""

import datetime as dt
from collections.abc import Mapping

import strawberry

from models import CaseStatus, HazardLevel, HazardStatus, InspectionKind, InspectionResult, InspectionStatus, RiskGrade
from resolvers.queries.group_counts import (
    DIMENSIONS_MAXIMUM,
    CaseDate,
    CaseDimension,
    CountOrder,
    EnterpriseDate,
    EnterpriseDimension,
    HazardDate,
    HazardDimension,
    InspectionDate,
    InspectionDimension,
)
from schema.fields.batch import BatchArgument
from schema.fields.filters import filtered
from schema.fields.references import ref
from schema.fields.source import FieldCost
from schema.types import lazy
from schema.types.enums import describe

COUNTS_COST = FieldCost(sizes=("first",), read=5_000)  # all rows of the filter are read

PERIODS = {
    "DAY": "By day of `date`, from midnight to midnight in the district's time zone.",
    "WEEK": "By week of `date`, from Monday on, in the district's time zone.",
    "MONTH": "By month of `date` in the district's time zone.",
}
OF_ENTERPRISE = {
    "RISK_GRADE": "By the grade that the enterprise has now.",
    "TOWN": "By the town of the enterprise.",
    "ZONE": "By the zone of the enterprise.",
}
describe(
    HazardDimension,
    "What hazards can be counted by.",
    LEVEL="By level.",
    STATUS="By state.",
    CATEGORY="By category.",
    INSPECTION="By the inspection that found it.",
    ENTERPRISE="By enterprise.",
    **OF_ENTERPRISE,
    **PERIODS,
)
describe(
    HazardDate,
    "Times of a hazard by which periods can be counted.",
    FOUND_AT="When it was found or reported.",
    DEADLINE="The deadline in force.",
    RECTIFIED_AT="When the rectification was submitted.",
    ACCEPTED_AT="When the rectification was accepted.",
    CLOSED_AT="When it was closed.",
)
describe(
    InspectionDimension,
    "What inspections can be counted by.",
    KIND="By the reason for it; to an enterprise COMPLAINT looks like ROUTINE.",
    STATUS="By state.",
    RESULT="By result.",
    REINSPECTION_OF="By the inspection that it repeats.",
    ASSISTANCE_REQUEST="By the request for help that it serves.",
    ENTERPRISE="By enterprise.",
    **OF_ENTERPRISE,
    **PERIODS,
)
describe(
    InspectionDate,
    "Times of an inspection by which periods can be counted.",
    PLANNED_FOR="The time planned.",
    DISPATCHED_AT="When inspectors were dispatched.",
    ARRIVED_AT="When the inspectors arrived.",
    SUBMITTED_AT="When the result was submitted.",
    CLOSED_AT="When it was closed.",
)
describe(
    CaseDimension,
    "What cases can be counted by.",
    STATUS="By state.",
    INSPECTION="By the inspection on which it was proposed.",
    ENTERPRISE="By enterprise.",
    **OF_ENTERPRISE,
    **PERIODS,
)
describe(
    CaseDate,
    "Times of a case by which periods can be counted.",
    FILED_AT="When it was filed.",
    DECIDED_AT="When it was decided.",
    CLOSED_AT="When it was closed.",
)
describe(
    EnterpriseDimension,
    "What enterprises can be counted by.",
    RISK_GRADE="By grade.",
    INDUSTRY="By industry.",
    HAZARDOUS_CHEMICALS="By whether it handles hazardous chemicals.",
    MAJOR_HAZARD_LEVEL="By the level of its major hazard installation.",
    TOWN="By town.",
    ZONE="By zone.",
    **PERIODS,
)
describe(
    EnterpriseDate,
    "Times of an enterprise by which periods can be counted.",
    LAST_INSPECTED_AT="The submission of its last inspection.",
    UPDATED_AT="The last change of its own data.",
)
describe(
    CountOrder,
    "The order of groups.",
    GROUP="By the dimensions as asked for: grades and levels from the lowest, periods from the earliest, texts and"
    " states by code points, rows by age. Unknown comes last. More groups than `first` are an error.",
    COUNT="The largest group first, equal ones by the dimensions. Groups beyond `first` are left out.",
)

NOT_ASKED = "null if unknown, or not among the dimensions."
PERIOD = f"First day of the day, week or month; {NOT_ASKED}"


@strawberry.type
class Counted:
    """Fields that the counts of all nouns have."""

    count: int = strawberry.field(description="Number of rows, 1 or more.")
    period: dt.date | None = strawberry.field(description=PERIOD)
    risk_grade: RiskGrade | None = strawberry.field(description=f"Grade of the enterprise; {NOT_ASKED}")
    town: lazy.Town | None = ref("town", f"Town of the enterprise; {NOT_ASKED}")
    zone: lazy.Zone | None = ref("zone", f"Zone of the enterprise; {NOT_ASKED}")


@strawberry.type(description="Number of hazards with the same values in the dimensions asked for.")
class HazardCount(Counted):
    level: HazardLevel | None = strawberry.field(description="Level; null if not among the dimensions.")
    status: HazardStatus | None = strawberry.field(description="State; null if not among the dimensions.")
    category: str | None = strawberry.field(description=f"Category; {NOT_ASKED}")
    inspection: lazy.Inspection | None = ref("inspection", f"Inspection that found them; {NOT_ASKED}")
    enterprise: lazy.Enterprise | None = ref("enterprise", "Enterprise; null if not among the dimensions.")


@strawberry.type(description="Number of inspections with the same values in the dimensions asked for.")
class InspectionCount(Counted):
    kind: InspectionKind | None = strawberry.field(description="Reason; null if not among the dimensions.")
    status: InspectionStatus | None = strawberry.field(description="State; null if not among the dimensions.")
    result: InspectionResult | None = strawberry.field(description=f"Result; {NOT_ASKED}")
    reinspection_of: lazy.Inspection | None = ref("reinspection_of", f"Inspection that they repeat; {NOT_ASKED}")
    assistance_request: lazy.AssistanceRequest | None = ref(
        "assistance_request", f"Request for help that they serve; {NOT_ASKED}"
    )
    enterprise: lazy.Enterprise | None = ref("enterprise", "Enterprise; null if not among the dimensions.")


@strawberry.type(description="Number of cases with the same values in the dimensions asked for.")
class CaseCount(Counted):
    status: CaseStatus | None = strawberry.field(description="State; null if not among the dimensions.")
    inspection: lazy.Inspection | None = ref(
        "inspection", "Inspection on which they were proposed; null if not among the dimensions."
    )
    enterprise: lazy.Enterprise | None = ref("enterprise", "Enterprise; null if not among the dimensions.")


@strawberry.type(description="Number of enterprises with the same values in the dimensions asked for.")
class EnterpriseCount(Counted):
    industry: str | None = strawberry.field(description=f"Industry; {NOT_ASKED}")
    hazardous_chemicals: bool | None = strawberry.field(
        description="Whether they handle hazardous chemicals; null if not among the dimensions."
    )
    major_hazard_level: int | None = strawberry.field(
        description=f"Level of the major hazard installation, 1 the gravest to 4; {NOT_ASKED}"
    )


def count_arguments(noun: str) -> Mapping[str, str | BatchArgument]:
    return {
        "by": f"What to count by: 1 to {DIMENSIONS_MAXIMUM} different dimensions, at most one of them a period.",
        "date": "The time whose day, week or month is counted.",
        "filter": filtered(noun, "Conditions on the rows, as of their list."),
        "order": "The order of the groups.",
        "first": "Greatest number of groups, 1 to 1,000.",
    }
