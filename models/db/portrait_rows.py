"""Reads the rows that portraits count, and folds them into facts by enterprise."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

import models
from models import portrait_facts
from models.db.tables import table_of
from models.portrait_facts import CaseFields, DayOf, EnterpriseFields, Facts, HazardFields, InspectionFields

ENTERPRISE, HAZARD = table_of(models.Enterprise), table_of(models.Hazard)
INSPECTION, CASE = table_of(models.Inspection), table_of(models.Case)
LINK, RING = table_of(models.EnterpriseRing), table_of(models.ControlRing)

DEFAULT_ZONE = "Asia/Shanghai"  # of a database without a district
Connection = AsyncConnection | AsyncSession  # an action has its session only
FIELDS: dict[Any, Any] = {
    models.Enterprise: EnterpriseFields,
    models.Hazard: HazardFields,
    models.Inspection: InspectionFields,
    models.Case: CaseFields,
}


def _columns(model: Any) -> list[sa.Column[Any]]:
    return [table_of(model).c[name] for name in FIELDS[model]._fields]


# Enterprises with their inspections, and the cases of these, which are cases of the same enterprise.
VISITS = (
    sa.select(*_columns(models.Enterprise), *_columns(models.Inspection), *_columns(models.Case))
    .outerjoin_from(ENTERPRISE, INSPECTION, INSPECTION.c.enterprise_id == ENTERPRISE.c.id)
    .outerjoin(CASE, CASE.c.inspection_id == INSPECTION.c.id)
)
HAZARDS = sa.select(*_columns(models.Hazard))


def _among_keys(column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """The column is one of the parameter `keys`."""
    return column.in_(sa.bindparam("keys", expanding=True))


# Made once, because making a SELECT takes longer than executing it for one enterprise.
VISITS_OF_SOME = VISITS.where(_among_keys(ENTERPRISE.c.id))
HAZARDS_OF_SOME = HAZARDS.where(_among_keys(HAZARD.c.enterprise_id))


def day_of(zone: ZoneInfo) -> DayOf:
    """The function that gives the number of the day of an instant in the zone."""

    def day(time: dt.datetime) -> int:
        try:
            return time.astimezone(zone).toordinal()
        except OverflowError:  # the last hours of the year 9999, or the first of the year 1
            return time.toordinal()

    return day


def is_sqlite(connection: Connection) -> bool:
    bind = connection.get_bind() if isinstance(connection, AsyncSession) else connection
    return bind.dialect.name == "sqlite"


async def zone_of(connection: Connection) -> ZoneInfo:
    """The time zone in which the district's days are counted. It never changes."""
    name = (await connection.execute(sa.select(table_of(models.District).c.time_zone).limit(1))).scalar()
    return ZoneInfo(name or DEFAULT_ZONE)


class Place(Protocol):
    """Where an enterprise is."""

    @property
    def zone_id(self) -> int | None: ...
    @property
    def rings(self) -> frozenset[int]: ...
    @property
    def venues(self) -> frozenset[int]: ...


class EnterprisePlace(NamedTuple):
    """A place by its zone and rings; `ring_venues` has the venue of each ring."""

    zone_id: int | None
    rings: frozenset[int]
    ring_venues: Mapping[int, int]

    @property
    def venues(self) -> frozenset[int]:
        return frozenset(self.ring_venues[ring] for ring in self.rings)


async def ring_venues(connection: Connection) -> dict[int, int]:
    """The venue of each ring."""
    return {row.id: row.venue_id for row in await connection.execute(sa.select(RING.c.id, RING.c.venue_id))}


async def places_of(connection: Connection, enterprises: Collection[int]) -> dict[int, EnterprisePlace]:
    wanted = sorted(enterprises)
    rings: defaultdict[int, set[int]] = defaultdict(set)
    links = sa.select(LINK.c.enterprise_id, LINK.c.ring_id).where(LINK.c.enterprise_id.in_(wanted))
    for row in await connection.execute(links):
        rings[row.enterprise_id].add(row.ring_id)
    venues = await ring_venues(connection)
    zones = sa.select(ENTERPRISE.c.id, ENTERPRISE.c.zone_id).where(ENTERPRISE.c.id.in_(wanted))
    return {
        row.id: EnterprisePlace(row.zone_id, frozenset(rings[row.id]), venues)
        for row in await connection.execute(zones)
    }


@dataclass
class Visits:
    """The inspections of one enterprise with their cases, which are cases of the same enterprise."""

    enterprise: EnterpriseFields
    inspections: dict[int, InspectionFields] = field(default_factory=dict)
    cases: dict[int, CaseFields] = field(default_factory=dict)

    def facts(self, day: DayOf) -> Facts:
        facts: Facts = Counter()
        cases: defaultdict[int, list[CaseFields]] = defaultdict(list)
        for case in self.cases.values():
            cases[case.inspection_id].append(case)
        for inspection in self.inspections.values():
            portrait_facts.add_inspection(facts, inspection, cases[inspection.id], day)
        if self.enterprise.retired_at is None:
            portrait_facts.add_inspected(facts, list(self.inspections.values()), day)
        return facts


async def read_visits(connection: Connection, enterprises: Collection[int]) -> dict[int, Visits]:
    return visits_of(await connection.execute(VISITS_OF_SOME, {"keys": sorted(enterprises)}))


def visits_of(rows: Iterable[Any]) -> dict[int, Visits]:
    """The visits of enterprises by rows of VISITS."""
    visits: dict[int, Visits] = {}
    for row in rows:
        enterprise, inspection, case = EnterpriseFields(*row[:3]), InspectionFields(*row[3:7]), CaseFields(*row[7:])
        each = visits.setdefault(enterprise.id, Visits(enterprise))
        if inspection.id is not None:
            each.inspections[inspection.id] = inspection
        if case.id is not None:
            each.cases[case.id] = case
    return visits


async def fold(connection: Connection, enterprises: Collection[int], day: DayOf) -> dict[int, Facts]:
    """All facts of these enterprises."""
    visits = await read_visits(connection, enterprises)
    return fold_rows(visits, await _read_hazards(connection, enterprises), day)


def fold_rows(visits: Mapping[int, Visits], hazards: Iterable[HazardFields], day: DayOf) -> dict[int, Facts]:
    """All facts of the enterprises of `visits`, of whom these are the hazards."""
    whole: dict[int, Facts] = {}
    for key, each in visits.items():
        facts = whole[key] = each.facts(day)
        portrait_facts.add_enterprise(facts, each.enterprise)
        for case in each.cases.values():
            portrait_facts.add_case(facts, case, day)
    for hazard in hazards:
        portrait_facts.add_hazard(whole[hazard.enterprise_id], hazard, day)
    return whole


async def _read_hazards(connection: Connection, enterprises: Collection[int]) -> list[HazardFields]:
    hazards = await connection.execute(HAZARDS_OF_SOME, {"keys": sorted(enterprises)})
    return [HazardFields._make(row) for row in hazards]
