"""Each field of each filter in plain Python over all rows, and rows for the edge cases of filters."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from shapely.geometry import Point, shape
from sqlmodel import col

import models
from models import DISPATCH_OVER, HAZARD_SETTLED, HAZARD_TERMINAL
from schema.types import node_id
from tests.conftest import NOW, SHANGHAI

TABLES: dict[str, Any] = {
    "Enterprise": models.Enterprise,
    "Hazard": models.Hazard,
    "Inspection": models.Inspection,
    "Case": models.Case,
    "Dispatch": models.Dispatch,
    "AssistanceRequest": models.AssistanceRequest,
    "Handover": models.Handover,
    "Warning": models.Warning,
    "Expert": models.Expert,
    "Team": models.Team,
    "Warehouse": models.Warehouse,
    "Inspector": models.Inspector,
    "Venue": models.Venue,
    "Town": models.Town,
    "Camera": models.Camera,
    "ControlMeasure": models.ControlMeasure,
    "DutyReport": models.DutyReport,
}
JOINED: tuple[Any, ...] = (
    models.DeadlineExtension,
    models.Zone,
    models.ControlRing,
    models.EnterpriseRing,
    models.InspectionInspector,
    models.StockItem,
)
# Texts with a meaning in LIKE, JSON or SQL, and ordinary ones.
TEXTS = [
    "萧山",
    "化工",
    "a",
    "A",
    "%",
    "_",
    "\\",
    "%_",
    "'",
    '"',
    "[",
    ",",
    ", ",
    "1",
    "(",
    "É",
    "ǅ",
    "k",
    "\u212a",
    "不存在",
]
MIDNIGHT = dt.datetime(2026, 6, 10, tzinfo=SHANGHAI)  # 16:00 of the day before, in UTC
SECOND = dt.timedelta(microseconds=1)
DAYS = ["2026-06-09", "2026-06-10", "2026-06-11", "2026-06-12"]
EDGES = [MIDNIGHT - SECOND, MIDNIGHT, MIDNIGHT + dt.timedelta(days=1) - SECOND, MIDNIGHT + dt.timedelta(days=1)]

# Rows with times at the edges of days, and with texts that have special characters.
EDGE_CASES = [
    *(
        sa.update(model).where(col(model.id) == row.id + 1).values({name: at})
        for model, names in (
            (models.Hazard, ("found_at", "deadline")),
            (models.Inspection, ("planned_for", "submitted_at")),
            (models.Enterprise, ("last_inspected_at",)),
            (models.Case, ("filed_at",)),
        )
        for name in names
        for row, at in ((SimpleNamespace(id=i), at) for i, at in enumerate(EDGES))
    ),
    sa.update(models.Hazard)
    .where(col(models.Hazard.id) == 2)
    .values(status=models.HazardStatus.RECTIFYING, closed_at=None),
    sa.update(models.AssistanceRequest).where(col(models.AssistanceRequest.id) == 1).values(enterprise_id=2),
    sa.update(models.Enterprise).where(col(models.Enterprise.id) == 4).values(industry="印染"),
    sa.update(models.Enterprise).where(col(models.Enterprise.id) == 1).values(name="100%_A\\B'C\"D"),
    sa.update(models.Enterprise).where(col(models.Enterprise.id) == 2).values(name="É ǅ \u212a", address=None),
    sa.update(models.Enterprise).where(col(models.Enterprise.id) == 3).values(industry=None, major_hazard_level=None),
    sa.update(models.Enterprise).where(col(models.Enterprise.id).in_([9, 12])).values(retired_at=NOW),
    sa.update(models.Hazard).where(col(models.Hazard.id) == 1).values(description="50%_of [it]", category=None),
    sa.update(models.Expert).where(col(models.Expert.id) == 1).values(specialties=['"quoted", and\\more', "危化"]),
    sa.update(models.Expert).where(col(models.Expert.id) == 2).values(specialties=[]),
    sa.update(models.Team).where(col(models.Team.id) == 1).values(name="%_\\Team", zone_id=None),
    sa.update(models.Inspector).where(col(models.Inspector.id) == 1).values(zone_id=None),
    sa.update(models.Camera).where(col(models.Camera.id) == 1).values(enterprise_id=2, venue_id=None, online=False),
]


def fold(text: str) -> str:
    return "".join(c.lower() if "A" <= c <= "Z" else c for c in text)


def has(part: str, *texts: str | None) -> bool:
    return any(text is not None and fold(part) in fold(text) for text in texts)


def day(at: dt.datetime | None) -> str:
    """The day in the district's zone; no time gives a text before all days."""
    return "" if at is None else at.astimezone(SHANGHAI).date().isoformat()


class World:
    """All rows, and the relations between them that filters use."""

    def __init__(self, rows: dict[Any, list[Any]]) -> None:
        self.rows = rows
        # By kind of code, the row of each.
        self.coded: dict[str, dict[str, int]] = {
            model.__name__: {row.code: row.id for row in rows[model]}
            for model in (models.Zone, models.Town, models.Venue)
        }
        codes = {v.id: v.code for v in rows[models.Venue]}
        self.coded["ControlRing"] = {f"{codes[r.venue_id]}/{r.grade.name}": r.id for r in rows[models.ControlRing]}
        self.coded["Inspector"] = {i.badge: i.id for i in rows[models.Inspector]}
        self.coded["Enterprise"] = {e.credit_code: e.id for e in rows[models.Enterprise] if e.credit_code}
        self.enterprise = {e.id: e for e in rows[models.Enterprise]}
        self.rings: dict[int, set[int]] = {e: set() for e in self.enterprise}
        self.venues: dict[int, set[int]] = {e: set() for e in self.enterprise}
        venue = {r.id: r.venue_id for r in rows[models.ControlRing]}
        for inside in rows[models.EnterpriseRing]:
            self.rings[inside.enterprise_id].add(inside.ring_id)
            self.venues[inside.enterprise_id].add(venue[inside.ring_id])
        self.inspectors: dict[int, set[int]] = {}
        for link in rows[models.InspectionInspector]:
            self.inspectors.setdefault(link.inspection_id, set()).add(link.inspector_id)
        self.stock: dict[int, list[Any]] = {}
        for item in rows[models.StockItem]:
            self.stock.setdefault(item.warehouse_id, []).append(item)
        going_on = [d for d in rows[models.Dispatch] if d.status not in DISPATCH_OVER]
        self.away = {(models.Team, d.team_id) for d in going_on} | {(models.Expert, d.expert_id) for d in going_on}
        extensions = rows[models.DeadlineExtension]
        self.asked = {e.hazard_id for e in extensions if e.status is models.ExtensionStatus.REQUESTED}
        self.overdue = {h.enterprise_id for h in rows[models.Hazard] if overdue(h)}

    def zone(self, row: Any) -> int | None:
        zone_id: int | None = self.enterprise[row.enterprise_id].zone_id
        return zone_id


def overdue(hazard: Any, now: dt.datetime = NOW) -> bool:
    return hazard.deadline is not None and hazard.deadline < now and hazard.status not in HAZARD_SETTLED


@dataclass(frozen=True)
class Case:
    """A field of a filter, values for it, and a function that says whether a row matches a value."""

    field: str
    name: str
    values: list[Any]
    holds: Callable[[World, Any, Any], bool]
    of: str | None = None
    coded: str | None = None

    def __str__(self) -> str:
        return f"{self.field}-{self.name}"

    def argument(self, world: World, value: Any) -> Any:
        """The value as a client sends it. Rows that it names have keys in `value`."""
        if self.coded is not None:
            return [code for code, key in world.coded[self.coded].items() if key in value]
        if self.of is None:
            return [v.name for v in value] if isinstance(value, list) and value and hasattr(value[0], "name") else value
        return [node_id.encode(self.of, key) for key in value]


def square(half: float) -> list[list[float]]:
    """A ring around the middle of the district."""
    corners = [(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)]
    return [[120.3 + x, 30.2 + y] for x, y in corners]


POLYGONS: list[Any] = [
    {"type": "Polygon", "coordinates": rings}
    for rings in ([square(0.1)], [square(0.2), square(0.05)], [square(0.0001)], [square(5)])
]


def inside(polygon: Any, row: Any) -> bool:
    return bool(shape(polygon).intersects(Point(row.longitude, row.latitude)))


KEYS: list[Any] = [[1], [2, 3], [], [1, 2, 3, 4]]
Holds = Callable[[World, Any, list[int]], bool]


def keyed(listing: str, name: str, of: str, holds: Holds) -> Case:
    return Case(listing, name, KEYS, holds, of)


def by_code(listing: str, name: str, of: str, holds: Holds) -> Case:
    return Case(listing, name, KEYS, holds, coded=of)


def named(listing: str, name: str, of: str, holds: Holds) -> list[Case]:
    """The rows named by id, in `{name}s`, and by code, in `{name}Codes`."""
    return [keyed(listing, f"{name}s", of, holds), by_code(listing, f"{name}Codes", of, holds)]


def among(listing: str, name: str, members: Any, column: str) -> Case:
    every = list(members)
    values = [[], *([m] for m in every), every[:2], every]
    return Case(listing, name, values, lambda w, r, v: getattr(r, column) in v)


def graded(listing: str) -> Case:
    grades = list(models.RiskGrade)
    values = [[], grades[:1], grades[2:], grades]
    return Case(listing, "riskGrades", values, lambda w, r, v: w.enterprise[r.enterprise_id].risk_grade in v)


def days(listing: str, name: str, holds: Callable[[World, Any, str], bool]) -> Case:
    return Case(listing, name, [*DAYS, "0001-01-02", "9999-12-30"], holds)


def text(listing: str, holds: Callable[[World, Any, str], bool], name: str = "text") -> Case:
    return Case(listing, name, TEXTS, holds)


def flag(listing: str, name: str, holds: Callable[[World, Any], bool]) -> Case:
    return Case(listing, name, [True, False], lambda w, r, v: holds(w, r) is v)


def overlap(keys: set[int], value: list[int]) -> bool:
    return not keys.isdisjoint(value)


CASES = [
    keyed("enterprises", "ids", "Enterprise", lambda w, r, v: r.id in v),
    by_code("enterprises", "creditCodes", "Enterprise", lambda w, r, v: r.credit_code is not None and r.id in v),
    *named("enterprises", "zone", "Zone", lambda w, r, v: r.zone_id in v),
    *named("enterprises", "town", "Town", lambda w, r, v: r.town_id in v),
    *named("enterprises", "ring", "ControlRing", lambda w, r, v: overlap(w.rings[r.id], v)),
    *named("enterprises", "venue", "Venue", lambda w, r, v: overlap(w.venues[r.id], v)),
    Case("enterprises", "within", POLYGONS, lambda w, r, v: r.latitude is not None and inside(v, r)),
    among("enterprises", "riskGrades", models.RiskGrade, "risk_grade"),
    flag("enterprises", "hazardousChemicals", lambda w, r: r.hazardous_chemicals),
    Case(
        "enterprises",
        "majorHazardLevels",
        [[1], [2, 4], [], [1, 2, 3, 4]],
        lambda w, r, v: r.major_hazard_level in v,
    ),
    Case("enterprises", "industry", ["", "印染", "%", "不存在"], lambda w, r, v: r.industry == v),
    text("enterprises", lambda w, r, v: has(v, r.name, r.address, r.credit_code)),
    flag("enterprises", "retired", lambda w, r: r.retired_at is not None),
    flag("enterprises", "hasOpenHazards", lambda w, r: r.open_hazards > 0),
    flag("enterprises", "hasOverdueHazards", lambda w, r: r.id in w.overdue),
    days("enterprises", "inspectedSince", lambda w, r, v: day(r.last_inspected_at) >= v),
    days("enterprises", "notInspectedSince", lambda w, r, v: day(r.last_inspected_at) < v),
    keyed("hazards", "enterprises", "Enterprise", lambda w, r, v: r.enterprise_id in v),
    *named("hazards", "zone", "Zone", lambda w, r, v: w.zone(r) in v),
    *named("hazards", "ring", "ControlRing", lambda w, r, v: overlap(w.rings[r.enterprise_id], v)),
    *named("hazards", "venue", "Venue", lambda w, r, v: overlap(w.venues[r.enterprise_id], v)),
    graded("hazards"),
    Case(
        "hazards",
        "categories",
        [[], ["消防安全"], ["消防安全", "储存安全"], ["%"], ["不存在"]],
        lambda w, r, v: r.category in v,
    ),
    among("hazards", "statuses", models.HazardStatus, "status"),
    among("hazards", "levels", models.HazardLevel, "level"),
    flag("hazards", "open", lambda w, r: r.status not in HAZARD_TERMINAL),
    flag("hazards", "overdue", lambda w, r: overdue(r)),
    flag("hazards", "extensionRequested", lambda w, r: r.id in w.asked),
    days("hazards", "foundSince", lambda w, r, v: day(r.found_at) >= v),
    days("hazards", "foundUntil", lambda w, r, v: day(r.found_at) <= v),
    days("hazards", "deadlineBefore", lambda w, r, v: "" < day(r.deadline) < v),
    text("hazards", lambda w, r, v: has(v, r.description, r.category)),
    keyed("inspections", "enterprises", "Enterprise", lambda w, r, v: r.enterprise_id in v),
    *named("inspections", "zone", "Zone", lambda w, r, v: w.zone(r) in v),
    *named("inspections", "ring", "ControlRing", lambda w, r, v: overlap(w.rings[r.enterprise_id], v)),
    *named("inspections", "venue", "Venue", lambda w, r, v: overlap(w.venues[r.enterprise_id], v)),
    keyed("inspections", "inspectors", "Inspector", lambda w, r, v: overlap(w.inspectors.get(r.id, set()), v)),
    graded("inspections"),
    by_code("inspections", "inspectorBadges", "Inspector", lambda w, r, v: overlap(w.inspectors.get(r.id, set()), v)),
    among("inspections", "statuses", models.InspectionStatus, "status"),
    among("inspections", "kinds", models.InspectionKind, "kind"),
    among("inspections", "results", models.InspectionResult, "result"),
    days("inspections", "plannedSince", lambda w, r, v: day(r.planned_for) >= v),
    days("inspections", "plannedUntil", lambda w, r, v: "" < day(r.planned_for) <= v),
    days("inspections", "submittedSince", lambda w, r, v: day(r.submitted_at) >= v),
    days("inspections", "submittedUntil", lambda w, r, v: "" < day(r.submitted_at) <= v),
    keyed("cases", "enterprises", "Enterprise", lambda w, r, v: r.enterprise_id in v),
    *named("cases", "zone", "Zone", lambda w, r, v: w.zone(r) in v),
    graded("cases"),
    among("cases", "statuses", models.CaseStatus, "status"),
    days("cases", "filedSince", lambda w, r, v: day(r.filed_at) >= v),
    days("cases", "filedUntil", lambda w, r, v: "" < day(r.filed_at) <= v),
    among("dispatches", "statuses", models.DispatchStatus, "status"),
    flag("dispatches", "active", lambda w, r: r.status not in DISPATCH_OVER),
    keyed("dispatches", "enterprises", "Enterprise", lambda w, r, v: r.enterprise_id in v),
    *named("dispatches", "venue", "Venue", lambda w, r, v: r.venue_id in v),
    among("assistanceRequests", "statuses", models.AssistanceStatus, "status"),
    *named("assistanceRequests", "zone", "Zone", lambda w, r, v: w.zone(r) in v),
    keyed("assistanceRequests", "enterprises", "Enterprise", lambda w, r, v: r.enterprise_id in v),
    *named("warnings", "zone", "Zone", lambda w, r, v: r.zone_id in v),
    flag("warnings", "inForce", lambda w, r: r.lifted_at is None),
    flag("handovers", "open", lambda w, r: r.taken_at is None),
    among("warnings", "kinds", models.WarningKind, "kind"),
    among("warnings", "levels", models.WarningLevel, "level"),
    *(
        case
        for listing in ("experts", "teams", "warehouses", "inspectors", "towns")
        for case in named(listing, "zone", "Zone", lambda w, r, v: r.zone_id in v)
    ),
    *(
        case
        for listing in ("dutyReports", "controlMeasures")
        for case in (
            keyed(listing, "enterprises", "Enterprise", lambda w, r, v: r.enterprise_id in v),
            *named(listing, "zone", "Zone", lambda w, r, v: w.zone(r) in v),
        )
    ),
    days("dutyReports", "since", lambda w, r, v: day(r.at) >= v),
    days("dutyReports", "until", lambda w, r, v: day(r.at) <= v),
    among("controlMeasures", "kinds", models.MeasureKind, "kind"),
    flag("controlMeasures", "inForce", lambda w, r: r.lifted_at is None),
    keyed("cameras", "enterprises", "Enterprise", lambda w, r, v: r.enterprise_id in v),
    *named("cameras", "venue", "Venue", lambda w, r, v: r.venue_id in v),
    flag("cameras", "online", lambda w, r: r.online),
    text("cameras", lambda w, r, v: has(v, r.name)),
    by_code("towns", "codes", "Town", lambda w, r, v: r.id in v),
    text("towns", lambda w, r, v: has(v, r.name, r.name_en)),
    flag("experts", "available", lambda w, r: r.on_standby and (models.Expert, r.id) not in w.away),
    flag("teams", "available", lambda w, r: r.on_standby and (models.Team, r.id) not in w.away),
    flag("inspectors", "available", lambda w, r: r.on_duty),
    flag("warehouses", "available", lambda w, r: any(i.quantity > i.reserved for i in w.stock.get(r.id, []))),
    text("experts", lambda w, r, v: has(v, r.full_name, *r.specialties)),
    text("experts", lambda w, r, v: has(v, *r.specialties), "specialty"),
    text("teams", lambda w, r, v: has(v, r.name)),
    text("warehouses", lambda w, r, v: has(v, r.name)),
    text("inspectors", lambda w, r, v: has(v, r.full_name, r.badge)),
    among("teams", "teamKinds", models.TeamKind, "kind"),
    Case(
        "warehouses",
        "stock",
        [{"code": c, "quantity": n} for c in ("2010101", "3020101", "9999999") for n in (1, 50, 2**31 - 1)],
        lambda w, r, v: any(
            i.code == v["code"] and i.quantity - i.reserved >= v["quantity"] for i in w.stock.get(r.id, [])
        ),
    ),
    Case(
        "warehouses",
        "stockCode",
        ["", "2", "%", "2010101", "3020101"],
        lambda w, r, v: any(i.code == v and i.quantity > 0 for i in w.stock.get(r.id, [])),
    ),
]
APPLIES = {
    "experts": {"zones", "zoneCodes", "available", "text", "specialty"},
    "teams": {"zones", "zoneCodes", "available", "text", "teamKinds"},
    "warehouses": {"zones", "zoneCodes", "available", "text", "stock", "stockCode"},
    "inspectors": {"zones", "zoneCodes", "available", "text"},
}
