"""Enterprises, with all rows that belong to them."""

import datetime as dt
from random import Random
from typing import Any

import models
from models import credit_code
from resolvers.demo import assistance, inspections, people
from resolvers.demo.cameras import mount
from resolvers.demo.clock import HISTORY_DAYS
from resolvers.demo.draws import between, generator, pick, urn, whole
from resolvers.demo.geography import Town
from resolvers.demo.industries import GRADES, Industry, Trade, draw, name
from resolvers.demo.measures import take_measures
from resolvers.demo.scene import Scene

MOST = 1_000_000  # number of distinct credit codes that the demo can make
CREDIT_CODE_SHARE = 0.95
MAJOR_HAZARD_SHARE = 0.3  # of the enterprises that may have one
MAJOR_HAZARD_LEVELS = urn((1, 1), (2, 2), (3, 3), (4, 4))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def place(scene: Scene, number: int) -> tuple[Random, Town, tuple[float, float]]:
    """An enterprise's location, and its generator for further draws. Depends on the number alone."""
    rng = generator("enterprise", number)
    town = pick(rng, scene.geography.shares)
    return rng, town, scene.geography.scatter(rng, town)


def add_enterprise(scene: Scene, number: int) -> dict[str, Any]:
    """Add one enterprise, its history, and what is in progress there at midnight. Its number, from 1, is its key."""
    rng, town, point = place(scene, number)
    industry = draw(rng, town.zone_code)
    row = _enterprise(scene, rng, number, town, industry)
    row["latitude"], row["longitude"] = point
    rings = scene.geography.places.rings_of(*point)
    for ring in rings:
        scene.rows.add(models.EnterpriseRing, ring_id=ring, enterprise_id=number)
    scene.log.surround(row, frozenset(rings), frozenset(scene.geography.ring_venues[ring] for ring in rings))
    strict = not scene.geography.strict_rings.isdisjoint(rings)
    mount(scene, rng, row, strict)
    take_measures(scene, rng, row)
    night = scene.night(number)
    calls = assistance.calls(scene, rng, number, strict, night)
    visits = inspections.history(scene, rng, row, industry.trade, calls, night)
    _sum_up(scene, rng, row, visits)
    return row


def _enterprise(scene: Scene, rng: Random, number: int, town: Town, industry: Industry) -> dict[str, Any]:
    coded = rng.random() < CREDIT_CODE_SHARE
    major = industry.bulk and rng.random() < MAJOR_HAZARD_SHARE
    village = pick(rng, town.villages)
    return scene.rows.add(
        models.Enterprise,
        credit_code=code(number) if coded else None,
        # Other registers have their own keys; some enterprises have both.
        external_id=f"XS-{number:07d}" if not coded or rng.random() < 0.1 else None,
        name=name(rng, industry),
        address=f"浙江省杭州市萧山区{town.name}{village} {whole(rng, 1, 400)} 号",
        town_id=town.id,
        zone_id=town.zone_id,
        risk_grade=pick(rng, GRADES[industry.trade]),
        industry=industry.name,
        hazardous_chemicals=industry.trade is Trade.CHEMICAL,
        major_hazard_level=pick(rng, MAJOR_HAZARD_LEVELS) if major else None,
        legal_name=people.name(rng),
        legal_phone=people.phone(rng),
        safety_name=people.name(rng),
        safety_phone=people.phone(rng),
    )


def _sum_up(scene: Scene, rng: Random, row: dict[str, Any], visits: inspections.History) -> None:
    row["open_hazards"] = visits.open_hazards
    row["last_inspected_at"] = visits.last_submitted_at
    graded: dt.datetime = scene.clock.day(whole(rng, 1, HISTORY_DAYS), between(rng, 8, 18))
    row["updated_at"] = max(graded, visits.last_submitted_at or graded)


def code(number: int) -> str:
    """A credit code with valid check characters, whose organisation number, HH and six digits, is never issued.

    Codes of neighbouring numbers look different, and no two numbers below a million have the same.
    """
    organisation = f"HH{number * 611_953 % MOST:06d}"
    total = sum(
        int(character, 36) * weight for character, weight in zip(organisation, _ORGANISATION_WEIGHTS, strict=True)
    )
    # The organisation number's own check character, by GB 11714.
    check = "0123456789X0"[11 - total % 11]
    return credit_code.complete(f"91330109{organisation}{check}")
