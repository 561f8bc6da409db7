"""Rows near a point."""

from typing import Annotated, Any

import strawberry

from resolvers.queries.nearby import NearbyKind
from resolvers.queries.nearby_rows import Filters
from schema.execution.context import Requester
from schema.fields.batch import BatchArgument
from schema.fields.filters import condition, conditions, filtered
from schema.fields.references import ref
from schema.fields.source import NODES, FieldCost
from schema.types import lazy
from schema.types.enums import describe
from schema.types.resource import ResourceFilter

# The rows around a point are sorted by their distance: more are read than are returned. A filter may match few rows, so
# that all of a kind are read.
NEARBY_COST = FieldCost(
    sizes=("kinds", "first"),
    read=50,
    read_for_each=("kinds", "first"),
    filters=("filter", "resources"),
    filtered=1_000,
    filtered_for_each=("kinds",),
)

describe(
    NearbyKind,
    "Kinds of rows that can be near a point.",
    ENTERPRISE="Enterprises.",
    CAMERA="Cameras.",
    EXPERT="Experts.",
    TEAM="Teams.",
    WAREHOUSE="Warehouses.",
    INSPECTOR="Inspectors with a recent position, by that position (HUHANG_POSITION_MINUTES).",
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
    cursor: str = strawberry.field(description="Place of the row among those of its kind, for `after`.")


def kind_filter(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="Conditions on the resources near a point, by kind.")
class NearbyFilter:
    available: bool | None = kind_filter("If true, only resources that can be sent now; if false, only the others.")
    experts: ResourceFilter | None = kind_filter("Conditions on experts.")
    teams: ResourceFilter | None = kind_filter("Conditions on teams.")
    warehouses: ResourceFilter | None = kind_filter("Conditions on warehouses.")
    inspectors: ResourceFilter | None = kind_filter("Conditions on inspectors.")


KINDS = {"experts": "Expert", "teams": "Team", "warehouses": "Warehouse", "inspectors": "Inspector"}


def nearby_conditions(value: NearbyFilter, requester: Requester) -> Filters:
    """By model, the conditions on its rows. Raises RequestError."""
    filters = {}
    for name, kind in KINDS.items():
        node = NODES[kind]
        filters[node.row] = conditions(node, getattr(value, name), requester)
        if isinstance(value.available, bool):
            filters[node.row] += (condition(node, "available", value.available, requester),)
    return filters


NEARBY_ARGUMENTS: dict[str, str | BatchArgument] = {
    "kinds": "Kinds of rows to look for.",
    "within_metres": "Greatest distance in metres along the ground; unlimited without it.",
    "first": "Number of rows of each kind, 0 to 1,000.",
    "after": "Only rows beyond this `cursor`, farther away or as far; for one kind at a time.",
    "filter": filtered("Enterprise", "Filter for the enterprises."),
    "resources": BatchArgument("Filter for the resources.", lambda: NearbyFilter | None, nearby_conditions),
}
