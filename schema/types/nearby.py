"""Rows near a point."""

from typing import Annotated

import strawberry

from resolvers.queries.nearby import NearbyKind
from schema.fields.references import ref
from schema.fields.source import FieldCost
from schema.types import lazy
from schema.types.enums import describe

# The rows around a point are sorted by their distance: more are read than are returned.
NEARBY_COST = FieldCost(sizes=("kinds", "first"), read=50, read_for_each=("kinds", "first"))

describe(
    NearbyKind,
    "Kinds of rows that can be near a point.",
    ENTERPRISE="Enterprises.",
    CAMERA="Cameras.",
    EXPERT="Experts.",
    TEAM="Teams.",
    WAREHOUSE="Warehouses.",
    INSPECTOR="Inspectors, by their latest position.",
)

NearbyItem = Annotated[
    lazy.Enterprise | lazy.Camera | lazy.Expert | lazy.Team | lazy.Warehouse | lazy.Inspector,
    strawberry.union("NearbyItem", description="A row that can be near a point."),
]


@strawberry.type(description="A row near a point.")
class Nearby:
    distance_metres: int = strawberry.field(description="Metres along the ground (great circle).")
    bearing_degrees: int = strawberry.field(description="Degrees clockwise from north, at the point: 0 to 359.")
    item: NearbyItem = ref("item", "The row.")
