"""The events of the last month, recorded while rows are made and added to the log when all rows exist.

Each event is recorded where its row takes the step, so the log and the rows agree. A demo of many enterprises has no
such events.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import models
from models import EventKind, RiskGrade, Role
from models.lifecycle import LIFECYCLES, Status, Transition, Who
from models.notice import is_internal
from resolvers.demo import people
from resolvers.demo.clock import Clock, later
from resolvers.demo.draws import generator
from resolvers.demo.rows import Rows

DAYS = 30
ENTERPRISES_AT_MOST = 10_000
DUTY_OFFICERS = 6
SOURCE = "demo"
# The transition between two states; the first one where several mutations make it.
STEPS: dict[tuple[Status | None, Status], Transition] = {}
for _line in (line for cycle in LIFECYCLES.values() for line in cycle):
    for _source in _line.sources or (None,):
        STEPS.setdefault((_source, _line.to), _line)


# Position and subject of each kind in dictionaries, because enum attributes are slow for ten thousands of events.
PLACES = {kind: place for place, kind in enumerate(EventKind)}
SUBJECTS = {kind: kind.subject for kind in EventKind}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where an event happened, for filters, and the enterprise's contact."""

    zone: int | None = None
    rings: frozenset[int] = frozenset()
    venues: frozenset[int] = frozenset()
    risk: RiskGrade | None = None
    contact: str | None = None


NO_SURROUNDINGS = Surroundings()


@dataclass(slots=True)
class RecordedEvent:
    """A recorded event. Without a role it has no actor; without a name it has the name of whoever holds the role."""

    at: dt.datetime
    kind: EventKind
    row: dict[str, Any]
    before: Status | None
    after: Status | None
    role: Role | None
    name: str | None
    major: bool

    @property
    def order(self) -> tuple[dt.datetime, int, int]:
        """Sorts by time and enterprise, then by the order of the kinds."""
        return self.at, self.row.get("enterprise_id") or 0, PLACES[self.kind]


class Log:
    """Keeps the events of the last thirty days and drops all others."""

    def __init__(self, clock: Clock, enterprises: int) -> None:
        self.wanted = enterprises <= ENTERPRISES_AT_MOST
        self._clock = clock
        self._from = later(clock.midnight, -24 * DAYS)
        self._recorded: list[RecordedEvent] = []
        self._enterprises: dict[int, Surroundings] = {}
        self._venues: dict[int, Surroundings] = {}
        self._officers = [people.name(generator("duty officer", number)) for number in range(DUTY_OFFICERS)]

    def step(
        self,
        at: dt.datetime,
        row: dict[str, Any],
        before: Status | None,
        after: Status,
        *,
        inspector: str | None = None,
        major: bool = False,
    ) -> None:
        """Record a step of a life cycle. The actor has a role that the table allows, an inspector's if possible."""
        if self.wanted and at >= self._from:
            line = STEPS[before, after]
            role = _role(line, inspector)
            name = inspector if role is Role.INSPECTOR else None
            self._recorded.append(RecordedEvent(at, line.kind, row, before, after, role, name, major))

    def happened(
        self,
        at: dt.datetime,
        kind: EventKind,
        row: dict[str, Any],
        role: Role | None,
        *,
        before: Status | None = None,
        after: Status | None = None,
        major: bool = False,
    ) -> None:
        """Record any other event."""
        if self.wanted and at >= self._from:
            self._recorded.append(RecordedEvent(at, kind, row, before, after, role, None, major))

    def surround(self, enterprise: dict[str, Any], rings: frozenset[int], venues: frozenset[int]) -> None:
        """Set the surroundings of an enterprise."""
        if self.wanted:
            self._enterprises[enterprise["id"]] = Surroundings(
                enterprise["zone_id"], rings, venues, enterprise["risk_grade"], enterprise["safety_name"]
            )

    def surround_venue(self, venue: int, zone: int | None, rings: frozenset[int]) -> None:
        """Set the surroundings of a venue, which lies in all of its rings."""
        self._venues[venue] = Surroundings(zone, rings, frozenset({venue}))

    def register(self, rows: Rows, number: int) -> None:
        """Add the event of a batch of `count` rows. It comes before all other events."""
        kind = EventKind.REGISTER_IMPORTED
        values = {"kind": kind, "subject": kind.subject, "rows": number, "source": SOURCE, "changes": []}
        rows.add(models.Event, at=self._from, major=False, internal=False, **values)

    def tell(self, rows: Rows) -> None:
        """Add all recorded events in the order of time. Every enterprise must have its surroundings."""
        for noted in sorted(self._recorded, key=lambda noted: noted.order):
            rows.add(models.Event, **self._event(noted))
        self._recorded.clear()

    def _event(self, noted: RecordedEvent) -> dict[str, Any]:
        enterprise, venue = noted.row.get("enterprise_id"), noted.row.get("venue_id")
        at_venue = self._venues.get(venue or 0, NO_SURROUNDINGS)
        around = self._enterprises.get(enterprise or 0, Surroundings(noted.row.get("zone_id") or at_venue.zone))
        return {
            "at": noted.at,
            "kind": noted.kind,
            "subject": SUBJECTS[noted.kind],
            "subject_id": noted.row["id"],
            "actor_role": noted.role,
            "actor_name": noted.name or self._name(noted, around),
            "from_status": noted.before and noted.before.name,
            "to_status": noted.after and noted.after.name,
            "changes": [],
            "enterprise_id": enterprise,
            "zone_id": around.zone,
            "zones": frozenset(zone for zone in (around.zone, at_venue.zone) if zone is not None),
            "rings": around.rings | at_venue.rings,
            "venues": around.venues | at_venue.venues,
            "risk": around.risk,
            "major": noted.major,
            "internal": is_internal(noted.after, announced=noted.row.get("announced", False)),
        }

    def _name(self, noted: RecordedEvent, around: Surroundings) -> str | None:
        """The name of an actor: at an enterprise its safety contact, in command the duty officer of the day."""
        if noted.role is Role.ENTERPRISE:
            return around.contact
        return self._officers[(self._clock.midnight - noted.at).days % DUTY_OFFICERS] if noted.role else None


def _role(line: Transition, inspector: str | None) -> Role:
    """The role that acts; the commander may do everything."""
    if inspector is not None and Who.INSPECTOR in line.who:
        return Role.INSPECTOR
    return Role.ENTERPRISE if Who.ENTERPRISE in line.who else Role.COMMANDER
