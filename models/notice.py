"""What an enterprise learns of what concerns it, and from when on.

Inspections come unannounced (四不两直: no notice, no report beforehand). An enterprise sees an inspection once the
inspectors have arrived; from the dispatch on where it asked for help, or where the bureau announces inspections of this
kind. A visit that is cancelled before that stays invisible for good. A case is seen once it is filed, and that an
inspection follows a complaint is never seen. What happened before stays invisible: an event is internal or not by what
was true when it was written.
"""

import enum

from models.case import CaseStatus
from models.inspection import InspectionKind, InspectionStatus

ARRIVED = frozenset(
    {InspectionStatus.ON_SITE, InspectionStatus.SUBMITTED, InspectionStatus.IN_REVIEW, InspectionStatus.CLOSED}
)
FILED = frozenset(CaseStatus) - {CaseStatus.PROPOSED, CaseStatus.NOT_FILED}
# How an enterprise sees the kinds of inspections that it may not see.
SHOWN_KINDS = {InspectionKind.COMPLAINT: InspectionKind.ROUTINE}
# The bureau may announce these. It always does so where the enterprise asked for help.
ANNOUNCEABLE = frozenset(InspectionKind) - {InspectionKind.ASSISTANCE, *SHOWN_KINDS}


def is_internal(status: enum.Enum | None, *, announced: bool = False) -> bool:
    """Whether a row with this status, and what happens to it, is hidden from the enterprise that it concerns.

    `announced` is an inspection's own column.
    """
    match status:
        case InspectionStatus():
            return status not in ARRIVED and not announced
        case CaseStatus():
            return status not in FILED
    return False
