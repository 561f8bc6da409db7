"""Cameras at venues and at some enterprises."""

from random import Random
from typing import Any

import models
from resolvers.demo.draws import generator, pick, whole
from resolvers.demo.scene import Scene

VENUE_SPOTS = ("主入口", "东广场", "西通道", "停车场", "看台", "检票口")
ENTERPRISE_SPOTS = ("厂区大门", "罐区", "仓库", "主车间", "装卸区", "配电房")
METRE = 1 / 111_000  # in degrees of latitude, precise enough for a camera on the premises


def mount_at_venues(scene: Scene) -> None:
    for venue in scene.geography.venues:
        rng = generator("venue cameras", venue.code)
        for spot in VENUE_SPOTS[: whole(rng, 4, 6)]:
            point = _beside(rng, venue.latitude, venue.longitude, 150)
            _camera(scene, rng, f"{venue.name}{spot}", point, venue_id=venue.id)


def mount(scene: Scene, rng: Random, enterprise: dict[str, Any], strict: bool) -> None:
    """Add cameras to every major hazard installation and to half of the enterprises in a strict ring."""
    chance = 1.0 if enterprise["major_hazard_level"] else 0.5 if strict else 0.06
    if rng.random() >= chance:
        return
    for spot in ENTERPRISE_SPOTS[: whole(rng, 1, 4)]:
        point = _beside(rng, enterprise["latitude"], enterprise["longitude"], 40)
        _camera(scene, rng, f"{enterprise['name']}{spot}", point, enterprise_id=enterprise["id"])


def _beside(rng: Random, latitude: float, longitude: float, metres: float) -> tuple[float, float]:
    reach = 2 * metres * METRE
    return round(latitude + (rng.random() - 0.5) * reach, 6), round(longitude + (rng.random() - 0.5) * reach, 6)


def _camera(scene: Scene, rng: Random, name: str, point: tuple[float, float], **owner: int) -> dict[str, Any]:
    camera = scene.rows.add(
        models.Camera,
        name=name,
        latitude=point[0],
        longitude=point[1],
        online=rng.random() < 0.92,
        **owner,
    )
    # GB/T 28181: centre 33010901, line of business 00, kind 132 (a network camera), network 0 to 9, number.
    device = f"3301090100132{camera['id'] // 1_000_000}{camera['id'] % 1_000_000:06d}"
    camera["device_id"] = device
    camera["stream_url"] = f"https://{pick(rng, ('hls', 'rtc'))}.example.invalid/live/{device}.m3u8"
    return camera
