"""Xiaoshan's geography, from the files in `xiaoshan/`: district, zones, towns, venues and rings."""

import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import models
from models import ControlGrade, VenueKind, ZoneFocus
from resolvers.demo.clock import TIME_ZONE
from resolvers.demo.draws import pick
from resolvers.demo.plans import PLANS
from resolvers.demo.rows import Rows
from resolvers.places import Places, RingCircle, TownPoint, ZoneArea

FILES = Path(__file__).parent / "xiaoshan"
ZONES = {
    "CENTURY_CITY": ("世纪城战区", "Century City", [ZoneFocus.WATERLOGGING, ZoneFocus.CROWDED_PLACES]),
    "GUALI": ("瓜沥战区", "Guali", [ZoneFocus.HAZARDOUS_CHEMICALS]),
    "MAIN_URBAN": ("主城区战区", "Main Urban", [ZoneFocus.CROWDED_PLACES, ZoneFocus.WATERLOGGING]),
    "LINPU": ("临浦战区", "Linpu", [ZoneFocus.FOREST_AND_FLOOD]),
}
RADII_METRES = {ControlGrade.STRICT: 1_000, ControlGrade.CONTROL: 3_000, ControlGrade.ALERT: 5_000}
# The enterprises of a town without a point lie around the point of a neighbour in the same zone.
PROXIES = {
    "330109002": "330109001",  # 北干街道 by 城厢街道
    "330109003": "330109001",  # 蜀山街道 by 城厢街道
    "330109401": "330109014",  # 萧山经济技术开发区 by 新街街道
    "330109403": "330109004",  # 萧山商业城 by 新塘街道
    "330109505": "330109015",  # 萧山钱江世纪城 by 盈丰街道
}
# Enterprises of each town out of about a hundred: many in Guali's towns, few in Century City, none outside the zones.
SHARES = {
    "城厢街道": 5, "北干街道": 4, "蜀山街道": 4, "新塘街道": 5, "闻堰街道": 3, "新街街道": 5, "所前镇": 3,
    "萧山经济技术开发区": 4, "萧山商业城": 1,
    "靖江街道": 5, "南阳街道": 5, "衙前镇": 7, "瓜沥镇": 14, "益农镇": 6, "党湾镇": 6,
    "楼塔镇": 2, "河上镇": 3, "戴村镇": 3, "浦阳镇": 2, "进化镇": 2, "临浦镇": 5, "义桥镇": 3,
    "宁围街道": 3, "盈丰街道": 2, "萧山钱江世纪城": 2,
}  # fmt: skip
SPREAD_DEGREES = 0.012  # a little over a kilometre


@dataclass(frozen=True)
class Town:
    """A town with enterprises around `point`, latitude first; `own` says whether that is the town's own point."""

    id: int
    name: str
    zone_id: int
    zone_code: str
    point: tuple[float, float]
    own: bool
    villages: tuple[str, ...]


@dataclass(frozen=True)
class Venue:
    """A venue with a point; without a zone where that lies outside the district."""

    id: int
    code: str
    name: str
    latitude: float
    longitude: float
    zone_id: int | None


@dataclass(frozen=True)
class Geography:
    """The geography that the rest of the demo uses. `ring_venues` has the venue of each ring."""

    places: Places
    zones: dict[str, int]
    towns: list[Town]
    shares: list[Town]
    venues: list[Venue]
    strict_rings: frozenset[int]
    ring_venues: dict[int, int]

    def scatter(self, rng: Random, town: Town) -> tuple[float, float]:
        """A point around the town's point, in the town's zone and nearer to it than to any other town's point there."""
        latitude, longitude = town.point
        for _ in range(60):
            point = round(rng.gauss(latitude, SPREAD_DEGREES), 6), round(rng.gauss(longitude, SPREAD_DEGREES), 6)
            if self.places.zone_of(*point) == town.zone_id and (not town.own or self.places.town_of(*point) == town.id):
                return point
        return town.point

    def somewhere(self, rng: Random, zone_id: int) -> tuple[float, float]:
        return self.scatter(rng, pick(rng, [town for town in self.towns if town.zone_id == zone_id]))


def read(name: str) -> list[dict[str, str]]:
    with (FILES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lay(rows: Rows) -> Geography:
    """Add the rows of the district, its zones, towns, venues and rings."""
    areas = _zones(rows)
    zones = {code: place for place, code in enumerate(ZONES, start=1)}
    points, towns = _towns(rows, zones)
    zone_places = Places(areas)
    circles, venues, strict, ring_venues = _venues(rows, zone_places)
    return Geography(
        Places(areas, points, circles),
        zones,
        towns,
        [town for town in towns for _ in range(SHARES[town.name])],
        venues,
        strict,
        ring_venues,
    )


def _zones(rows: Rows) -> list[ZoneArea]:
    import shapely  # late: it takes long to import, and `serve` needs it for a new demo only
    from shapely.geometry import shape

    features = json.loads((FILES / "zones.geojson").read_text(encoding="utf-8"))["features"]
    shapes = {feature["properties"]["zone"]: shape(feature["geometry"]) for feature in features}
    rows.add(
        models.District,
        name="杭州市萧山区",
        name_en="Xiaoshan District, Hangzhou",
        area_code="330109",
        time_zone=TIME_ZONE,
        boundary=_geojson(shapely.union_all(list(shapes.values()))),
    )
    areas = []
    for code, (name, name_en, focus) in ZONES.items():
        boundary = _geojson(shapes[code])
        zone = rows.add(
            models.Zone,
            district_id=1,
            code=code,
            name=name,
            name_en=name_en,
            focus=focus,
            plan=PLANS[code],
            boundary=boundary,
        )
        areas.append(ZoneArea(zone["id"], boundary))
    return areas


def _geojson(area: Any) -> dict[str, Any]:
    """The boundary with counter-clockwise outer rings, as RFC 7946 requires; the files have clockwise ones."""
    from shapely.geometry import mapping
    from shapely.geometry.polygon import orient

    geometry: dict[str, Any] = json.loads(json.dumps(mapping(orient(area))))
    return geometry


def _towns(rows: Rows, zones: dict[str, int]) -> tuple[list[TownPoint], list[Town]]:
    villages = defaultdict(list)
    for village in read("villages.csv"):
        # The files list village committees, and a virtual one for a town without any.
        name = "" if village["name"].endswith("虚拟社区") else village["name"].removesuffix("委会")
        villages[village["streetCode"]].append(name)
    read_towns = read("towns.csv")
    located = {town["code"]: (float(town["lat"]), float(town["lon"])) for town in read_towns if town["lat"]}
    points, towns = [], []
    for town in read_towns:
        code, zone_code = town["code"], town["demo_zone"]
        own = located.get(code)
        latitude, longitude = own or (None, None)
        row = rows.add(
            models.Town,
            code=code,
            name=town["name_zh"],
            name_en=town["name_en"] or None,
            zone_id=zones.get(zone_code),
            latitude=latitude,
            longitude=longitude,
        )
        points.append(TownPoint(row["id"], row["zone_id"], latitude, longitude))
        if zone_code:
            point = own or located[PROXIES[code]]
            names = tuple(villages[code])
            towns.append(Town(row["id"], row["name"], zones[zone_code], zone_code, point, own is not None, names))
    return points, towns


def _venues(rows: Rows, places: Places) -> tuple[list[RingCircle], list[Venue], frozenset[int], dict[int, int]]:
    circles, venues, strict, ring_venues = [], [], set(), {}
    for venue in read("venues.csv"):
        latitude, longitude = (float(venue["lat"]), float(venue["lon"])) if venue["lat"] else (None, None)
        row = rows.add(
            models.Venue,
            code=venue["code"],
            name=venue["name_zh"],
            name_en=venue["name_en"],
            kind=VenueKind[venue["kind"]],
            use=venue["use"],
            zone_id=None,
            latitude=latitude,
            longitude=longitude,
        )
        if latitude is not None and longitude is not None:
            row["zone_id"] = places.zone_of(latitude, longitude)
            venues.append(Venue(row["id"], row["code"], row["name"], latitude, longitude, row["zone_id"]))
        for grade, radius in RADII_METRES.items():
            ring = rows.add(models.ControlRing, venue_id=row["id"], grade=grade, radius_metres=radius)
            circles.append(RingCircle(ring["id"], latitude, longitude, radius))
            ring_venues[ring["id"]] = row["id"]
            if grade is ControlGrade.STRICT:
                strict.add(ring["id"])
    return circles, venues, frozenset(strict), ring_venues
