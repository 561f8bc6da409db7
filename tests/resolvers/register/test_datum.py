"""The datum of Baidu's maps."""

import math
from itertools import product

from models.db.sqlite_functions import great_circle_metres
from resolvers.register.datum import to_wgs84


def bd09(longitude: float, latitude: float) -> tuple[float, float]:
    """GCJ-02 as BD-09, by its definition: a wave in polar coordinates, and a shift."""
    wave = math.radians(3000)
    radius = math.hypot(longitude, latitude) + 2e-5 * math.sin(latitude * wave)
    angle = math.atan2(latitude, longitude) + 3e-6 * math.cos(longitude * wave)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


def test_bd09_is_converted_to_within_a_metre() -> None:
    from_gcj02, from_bd09 = to_wgs84("gcj02"), to_wgs84("bd09")
    assert from_gcj02 is not None
    assert from_bd09 is not None
    for x, y in product((75.1, 100.3, 116.391, 120.2588, 134.9), (4.2, 18.25, 30.1675, 39.909, 53.4)):
        longitude, latitude = from_bd09(*bd09(x, y))
        expected = from_gcj02(x, y)
        assert great_circle_metres(latitude, longitude, expected[1], expected[0]) < 1
        assert great_circle_metres(latitude, longitude, y, x) > 100
    # Outside China both are WGS-84.
    assert from_bd09(-122.4, 37.5) == (-122.4, 37.5)
