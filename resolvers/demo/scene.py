"""The state that the demo's files share: time, place, rows and resources."""

from dataclasses import dataclass, field

from models import CaseStatus, InspectionStatus
from resolvers.demo.clock import Clock
from resolvers.demo.draws import Deck, urn
from resolvers.demo.events import Log
from resolvers.demo.geography import Geography
from resolvers.demo.rows import Rows


@dataclass(frozen=True)
class Night:
    """What is in progress at an enterprise at midnight: a request for help, a visit, both or neither."""

    call: bool
    visit: InspectionStatus | None


# Dealt instead of drawn, so that each occurs even with few enterprises.
NIGHTS = (
    Night(False, InspectionStatus.ON_SITE),
    Night(True, InspectionStatus.DISPATCHED),
    Night(False, InspectionStatus.EN_ROUTE),
    Night(True, None),
    Night(False, InspectionStatus.ACKNOWLEDGED),
    Night(True, InspectionStatus.ON_SITE),
    Night(False, InspectionStatus.DISPATCHED),
    Night(True, InspectionStatus.CANCELLED),
    Night(True, InspectionStatus.EN_ROUTE),
    Night(True, None),
)
NIGHTS_AT_MOST = 50  # about the number of inspectors on duty, however many enterprises there are
YOUNG_CASES = (
    CaseStatus.PROPOSED,
    CaseStatus.FILED,
    CaseStatus.INVESTIGATING,
    CaseStatus.NOTIFIED,
    CaseStatus.HEARING,
    CaseStatus.DECIDED,
    CaseStatus.EXECUTING,
)
OLD_CASES = urn(
    (CaseStatus.CLOSED, 2),
    (CaseStatus.NOT_FILED, 1),
    (CaseStatus.CLOSED, 3),
    (CaseStatus.NO_PENALTY, 1),
    (CaseStatus.EXECUTING, 1),
    (CaseStatus.CLOSED, 3),
    (CaseStatus.WITHDRAWN, 1),
    (CaseStatus.DECIDED, 1),
    (CaseStatus.CLOSED, 2),
    (CaseStatus.TRANSFERRED, 1),
)


@dataclass
class Scene:
    """`inspectors` are keys by zone; `on_duty` deals those on duty; `names` are the inspectors' names by key."""

    clock: Clock
    geography: Geography
    rows: Rows
    enterprises: int
    log: Log
    inspectors: dict[int, list[int]] = field(default_factory=dict)
    on_duty: dict[int, Deck[int]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    nights: Deck[Night] = field(default_factory=lambda: Deck(NIGHTS))
    young_cases: Deck[CaseStatus] = field(default_factory=lambda: Deck(YOUNG_CASES))
    old_cases: Deck[CaseStatus] = field(default_factory=lambda: Deck(OLD_CASES))

    def night(self, enterprise: int) -> Night | None:
        """What is in progress at an enterprise; for most, nothing."""
        stride = max(10, self.enterprises // NIGHTS_AT_MOST)
        return self.nights.deal() if enterprise % stride == 1 else None
