"""Warnings of the last eighteen months, and some in force."""

from typing import Any

import models
from models import EventKind, Role, WarningKind, WarningLevel
from resolvers.demo.clock import HISTORY_DAYS, later, local_date
from resolvers.demo.draws import between, generator, pick, whole
from resolvers.demo.geography import ZONES
from resolvers.demo.scene import Scene

PAST = 30
# The thresholds at which rainstorm warnings are published.
RAINSTORM = {
    WarningLevel.BLUE: "12 小时内降雨量将达 50 毫米以上",
    WarningLevel.YELLOW: "6 小时内降雨量将达 50 毫米以上",
    WarningLevel.ORANGE: "3 小时内降雨量将达 50 毫米以上",
    WarningLevel.RED: "3 小时内降雨量将达 100 毫米以上",
}
COLOURS = {
    WarningLevel.BLUE: "蓝色",
    WarningLevel.YELLOW: "黄色",
    WarningLevel.ORANGE: "橙色",
    WarningLevel.RED: "红色",
}
OTHERS = {
    WarningKind.TYPHOON: ("台风", "热带气旋将影响本区，沿江沿塘注意防风防潮"),
    WarningKind.HEAT: ("高温", "日最高气温将升至 37 摄氏度以上，户外作业注意防暑"),
    WarningKind.FIRE: ("森林火险", "林区火险等级高，严禁野外用火"),
    WarningKind.HAZMAT: ("危险化学品", "辖区企业监测数据异常，周边单位注意防范"),
    WarningKind.OTHER: ("大雾", "能见度将小于 500 米，注意交通和高处作业安全"),
}
K = WarningKind
SUMMER = (K.RAINSTORM, K.RAINSTORM, K.RAINSTORM, K.TYPHOON, K.HEAT, K.HEAT, K.HAZMAT)
WINTER = (K.FIRE, K.FIRE, K.OTHER, K.OTHER, K.RAINSTORM, K.HAZMAT)
# Fire warnings are for the zone with forests.
WHERE = {K.FIRE: ("LINPU",), K.HAZMAT: ("GUALI",)}
# Zone, kind, level, hours ago.
IN_FORCE = [
    ("CENTURY_CITY", WarningKind.RAINSTORM, WarningLevel.YELLOW, 2.5),
    ("GUALI", WarningKind.HAZMAT, WarningLevel.BLUE, 20.0),
    ("LINPU", WarningKind.FIRE, WarningLevel.ORANGE, 31.0),
    (None, WarningKind.OTHER, WarningLevel.BLUE, 5.0),
]


def issue(scene: Scene) -> None:
    for number in range(PAST):
        rng = generator("warning", number)
        issued = scene.clock.day(
            max(2, HISTORY_DAYS * (PAST - number) // PAST - whole(rng, 0, 12)), between(rng, 0, 23)
        )
        kind = pick(rng, SUMMER if 5 <= local_date(issued).month <= 9 else WINTER)
        level = pick(rng, list(WarningLevel))
        zone = pick(rng, WHERE.get(kind, (None, *ZONES)))
        warning = scene.rows.add(
            models.Warning,
            zone_id=scene.geography.zones.get(zone or ""),
            kind=kind,
            level=level,
            headline=_headline(zone, kind, level),
            issued_at=issued,
            lifted_at=later(issued, between(rng, 4, 24)),
            automatic=kind is WarningKind.RAINSTORM and zone is not None and rng.random() < 0.5,
            version=2,
        )
        _note(scene, warning)
    for zone, kind, level, hours in IN_FORCE:
        warning = scene.rows.add(
            models.Warning,
            zone_id=scene.geography.zones.get(zone or ""),
            kind=kind,
            level=level,
            headline=_headline(zone, kind, level),
            issued_at=later(scene.clock.midnight, -hours),
            automatic=kind is WarningKind.RAINSTORM,
        )
        _note(scene, warning)


def _note(scene: Scene, warning: dict[str, Any]) -> None:
    """Record the events of a warning; automatic ones have no actor."""
    automatic = warning["automatic"]
    role = None if automatic else Role.COMMANDER
    raised = EventKind.WARNING_RAISED if automatic else EventKind.WARNING_ISSUED
    scene.log.happened(warning["issued_at"], raised, warning, role)
    if "lifted_at" in warning:
        scene.log.happened(warning["lifted_at"], EventKind.WARNING_LIFTED, warning, role)


def _headline(zone: str | None, kind: WarningKind, level: WarningLevel) -> str:
    area = ZONES[zone][0] if zone else "全区"
    name, what = ("暴雨", RAINSTORM[level]) if kind is WarningKind.RAINSTORM else OTHERS[kind]
    return f"{area}{name}{COLOURS[level]}预警：{what}"
