"""Resources that can be sent: experts, teams and inspectors."""

import models
from models import TeamKind
from resolvers.demo import people
from resolvers.demo.clock import later
from resolvers.demo.draws import Deck, between, generator, pick, whole
from resolvers.demo.geography import Geography
from resolvers.demo.scene import Scene

# In Chinese and English, because users search for both.
SPECIALTIES = [
    ("危险化学品", "hazardous chemicals"),
    ("化工工艺", "chemical processes"),
    ("压力容器", "pressure vessels"),
    ("粉尘防爆", "dust explosions"),
    ("消防工程", "fire protection"),
    ("电气安全", "electrical safety"),
    ("建筑施工", "construction"),
    ("有限空间", "confined spaces"),
    ("排涝防汛", "flood control"),
    ("森林防火", "forest fires"),
    ("气象", "meteorology"),
    ("职业卫生", "occupational health"),
    ("应急救援", "rescue"),
    ("燃气", "gas supply"),
    ("特种设备", "special equipment"),
    ("环境监测", "environmental monitoring"),
]
TEAMS = {
    TeamKind.FIRE: "消防救援站",
    TeamKind.HAZMAT: "危化品救援队",
    TeamKind.MEDICAL: "医疗救护队",
    TeamKind.WATER_RESCUE: "水上救援队",
    TeamKind.ENGINEERING: "工程抢险队",
    TeamKind.POWER: "电力抢修队",
    TeamKind.SECURITY: "治安巡逻队",
    TeamKind.VOLUNTEER: "志愿救援队",
}
EXPERTS, TEAMS_OF_EACH_KIND = 40, 3
# Inspectors of each zone, sixty in all, in the order of the zones.
INSPECTORS = (10, 20, 18, 12)
ON_DUTY_SHARE = 0.8


def gather(scene: Scene) -> None:
    for number in range(EXPERTS):
        _expert(scene, number)
    for turn in range(TEAMS_OF_EACH_KIND):
        for place, kind in enumerate(TEAMS):
            _team(scene, turn * len(TEAMS) + place, kind)
    for zone_id, number in enumerate(INSPECTORS, start=1):
        _inspectors(scene, zone_id, number)


def zone_in_turn(geography: Geography, number: int) -> int:
    """Deal zones in turn, so that each has some of every resource."""
    zones = list(geography.zones.values())
    return zones[number % len(zones)]


def _expert(scene: Scene, number: int) -> None:
    rng = generator("expert", number)
    zone_id = zone_in_turn(scene.geography, number)
    latitude, longitude = scene.geography.somewhere(rng, zone_id)
    first = number % len(SPECIALTIES)
    fields = [SPECIALTIES[first]]
    if rng.random() < 0.6:
        fields.append(SPECIALTIES[(first + whole(rng, 1, len(SPECIALTIES) - 1)) % len(SPECIALTIES)])
    scene.rows.add(
        models.Expert,
        full_name=people.name(rng),
        phone=people.phone(rng),
        specialties=[word for words in fields for word in words],
        zone_id=zone_id,
        on_standby=rng.random() < 0.6,
        latitude=latitude,
        longitude=longitude,
    )


def _team(scene: Scene, number: int, kind: TeamKind) -> None:
    rng = generator("team", number)
    # The numbers of kinds and zones are both even: without the shift, a kind would always get the same zone.
    zone_id = zone_in_turn(scene.geography, number + number // len(TEAMS))
    town = pick(rng, [town for town in scene.geography.towns if town.zone_id == zone_id])
    latitude, longitude = scene.geography.scatter(rng, town)
    scene.rows.add(
        models.Team,
        name=f"{town.name}{TEAMS[kind]}",
        kind=kind,
        strength=whole(rng, 8, 45),
        leader_name=people.name(rng),
        leader_phone=people.phone(rng),
        zone_id=zone_id,
        on_standby=rng.random() < 0.75,
        latitude=latitude,
        longitude=longitude,
    )


def _inspectors(scene: Scene, zone_id: int, number: int) -> None:
    """Inspectors on duty reported their position minutes before midnight, the others at the end of their day."""
    keys, on_duty = [], []
    for place in range(number):
        rng = generator("inspector", zone_id, place)
        latitude, longitude = scene.geography.somewhere(rng, zone_id)
        duty = place < number * ON_DUTY_SHARE
        minutes = between(rng, 1, 15) if duty else between(rng, 300, 2_000)
        inspector = scene.rows.add(
            models.Inspector,
            badge=f"XS{zone_id}{place + 1:03d}",
            full_name=people.name(rng),
            phone=people.phone(rng),
            on_duty=duty,
            zone_id=zone_id,
            latitude=latitude,
            longitude=longitude,
            position_at=later(scene.clock.midnight, -minutes / 60),
        )
        keys.append(inspector["id"])
        scene.names[inspector["id"]] = inspector["full_name"]
        if duty:
            on_duty.append(inspector["id"])
    scene.inspectors[zone_id], scene.on_duty[zone_id] = keys, Deck(on_duty)
