"""The events of the last month: noted while rows are made, told when all rows are there.

Each is noted where its row takes the step, so that the log and the rows tell the same story. A demo of many enterprises
has none of them.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import models
from models import EventKind, RiskGrade, Role
from models.lifecycle import LIFECYCLES, Status, Transition, Who
from resolvers.demo import people
from resolvers.demo.clock import Clock, later
from resolvers.demo.draws import generator
from resolvers.demo.rows import Rows

DAYS = 30
ENTERPRISES_AT_MOST = 10_000
DUTY_OFFICERS = 6
SOURCE = "demo"
# By the states before and after a step, the line of the life cycle for it; the first, where several mutations do it.
STEPS: dict[tuple[Status | None, Status], Transition] = {}
for _line in (line for cycle in LIFECYCLES.values() for line in cycle):
    for _source in _line.sources or (None,):
        STEPS.setdefault((_source, _line.to), _line)


# Kinds in their order, and what each is about: an enum is slow to tell, and these are asked for by the ten thousand.
PLACES = {kind: place for place, kind in enumerate(EventKind)}
SUBJECTS = {kind: kind.subject for kind in EventKind}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where an event happened: what a filter asks for, and who speaks for the enterprise."""

    zone: int | None = None
    rings: frozenset[int] = frozenset()
    venues: frozenset[int] = frozenset()
    risk: RiskGrade | None = None
    contact: str | None = None


NOWHERE = Surroundings()


@dataclass(slots=True)
class Noted:
    """An event to be. Without a role nobody did it; without a name it is whoever speaks for that role."""

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
        """What happens in one moment at one place happens in the order of the kinds."""
        return self.at, self.row.get("enterprise_id") or 0, PLACES[self.kind]


class Log:
    """Notes what lies in the last thirty days and forgets the rest at once."""

    def __init__(self, clock: Clock, enterprises: int) -> None:
        self.wanted = enterprises <= ENTERPRISES_AT_MOST
        self._clock = clock
        self._from = later(clock.midnight, -24 * DAYS)
        self._noted: list[Noted] = []
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
        """A step of a life cycle, done by whom its table names: the inspector where there is one to do it."""
        if self.wanted and at >= self._from:
            line = STEPS[before, after]
            role = _role(line, inspector)
            name = inspector if role is Role.INSPECTOR else None
            self._noted.append(Noted(at, line.kind, row, before, after, role, name, major))

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
        """Anything else."""
        if self.wanted and at >= self._from:
            self._noted.append(Noted(at, kind, row, before, after, role, None, major))

    def surround(self, enterprise: dict[str, Any], rings: frozenset[int], venues: frozenset[int]) -> None:
        """Say where an enterprise is."""
        if self.wanted:
            self._enterprises[enterprise["id"]] = Surroundings(
                enterprise["zone_id"], rings, venues, enterprise["risk_grade"], enterprise["safety_name"]
            )

    def surround_venue(self, venue: int, zone: int | None, rings: frozenset[int]) -> None:
        """Say where a venue is: in all of its rings."""
        self._venues[venue] = Surroundings(zone, rings, frozenset({venue}))

    def register(self, rows: Rows, number: int) -> None:
        """Add the event of a batch of so many rows. It stands before all that happened."""
        kind = EventKind.REGISTER_IMPORTED
        values = {"kind": kind, "subject": kind.subject, "rows": number, "source": SOURCE, "changes": []}
        rows.add(models.Event, at=self._from, major=False, **values)

    def tell(self, rows: Rows) -> None:
        """Add all that was noted, in the order of time. Every enterprise must be there."""
        for noted in sorted(self._noted, key=lambda noted: noted.order):
            rows.add(models.Event, **self._event(noted))
        self._noted.clear()

    def _event(self, noted: Noted) -> dict[str, Any]:
        enterprise, venue = noted.row.get("enterprise_id"), noted.row.get("venue_id")
        at_venue = self._venues.get(venue or 0, NOWHERE)
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
        }

    def _name(self, noted: Noted, around: Surroundings) -> str | None:
        """Who speaks for a role: at the enterprise its contact for safety, in command the duty officer of the day."""
        if noted.role is Role.ENTERPRISE:
            return around.contact
        return self._officers[(self._clock.midnight - noted.at).days % DUTY_OFFICERS] if noted.role else None


def _role(line: Transition, inspector: str | None) -> Role:
    """The commander may do whatever anybody may."""
    if inspector is not None and Who.INSPECTOR in line.who:
        return Role.INSPECTOR
    return Role.ENTERPRISE if Who.ENTERPRISE in line.who else Role.COMMANDER
