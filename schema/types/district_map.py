"""Maps: enterprises, hazards and resources in a box, as points or as clusters."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import strawberry

from models import HazardLevel, RiskGrade
from resolvers.queries.district_map import CELLS_MAXIMUM, POINTS_MAXIMUM, ZOOM_MAXIMUM, MapKind
from resolvers.queries.map_statements import Box
from resolvers.sql.predicates import Conditions
from schema.execution.context import Requester
from schema.fields.batch import BatchArgument
from schema.fields.filters import conditions, filtered
from schema.fields.lists import plain_list
from schema.fields.source import NODES, FieldCost
from schema.types import node_id
from schema.types.enums import describe
from schema.types.resource import ResourceFilter

# Clusters count all rows of a box. The groups of `points` count as often as there may be points, each with one of them.
MAP_COST = FieldCost(read=5_000, sizes=("points",))
DEGREES = 10  # bytes of a number with five decimals
NODE_OF = {MapKind.TEAM: "Team", MapKind.WAREHOUSE: "Warehouse", MapKind.EXPERT: "Expert", MapKind.CAMERA: "Camera"}

describe(
    MapKind,
    "Kinds of resources on a map.",
    TEAM="Teams, at their bases.",
    WAREHOUSE="Warehouses.",
    EXPERT="Experts, at their places of work.",
    CAMERA="Cameras.",
)


@strawberry.input(name="BoxInput", description="A part of the map in WGS-84. Ask in two for one that crosses ±180°.")
class BoxInput:
    west: float = strawberry.field(description="Western edge in degrees of longitude, -180 to 180.")
    south: float = strawberry.field(description="Southern edge in degrees of latitude, -90 to 90.")
    east: float = strawberry.field(description="Eastern edge in degrees of longitude, `west` to 180.")
    north: float = strawberry.field(description="Northern edge in degrees of latitude, `south` to 90.")


def degrees(attribute: str, description: str) -> list[float]:
    """A column of points in degrees."""
    field: list[float] = plain_list(attrgetter(attribute), description, maximum=1, size=DEGREES)
    return field


def ids(node: Callable[[Any], str], description: str) -> list[strawberry.ID]:
    """The global ids of points whose graph type `node` gives."""

    def values(group: Any) -> list[str]:
        name = node(group)
        return [node_id.encode(name, key) for key in group.keys]

    field: list[strawberry.ID] = plain_list(values, description, maximum=1)
    return field


def of_clusters(attribute: str, description: str, size: int = DEGREES) -> Any:
    """A column of clusters."""
    return plain_list(attrgetter(attribute), description, maximum=CELLS_MAXIMUM, size=size)


@strawberry.type
class Points:
    """Columns of equal length: the first id belongs to the first longitude and latitude, and so on."""

    longitudes: list[float] = degrees("longitudes", "Longitudes in degrees, with five decimals, which is one metre.")
    latitudes: list[float] = degrees("latitudes", "Latitudes in degrees, with five decimals.")


@strawberry.type(description="Enterprises of one grade as columns of equal length, in the order of their keys.")
class EnterprisePoints(Points):
    group: RiskGrade | None = strawberry.field(name="riskGrade", description="Their grade; null if not graded yet.")
    ids: list[strawberry.ID] = ids(lambda group: "Enterprise", "Global ids of the enterprises.")


@strawberry.type(description="Hazards of one level as columns of equal length, in the order of their keys.")
class HazardPoints(Points):
    group: HazardLevel = strawberry.field(name="level", description="Their level.")
    ids: list[strawberry.ID] = ids(lambda group: "Hazard", "Global ids of the hazards.")


@strawberry.type(description="Resources of one kind as columns of equal length, in the order of their keys.")
class ResourcePoints(Points):
    group: MapKind = strawberry.field(name="kind", description="Their kind.")
    ids: list[strawberry.ID] = ids(lambda group: NODE_OF[group.group], "Global ids of the resources.")


@strawberry.type(description="How many enterprises of one grade each cluster has.")
class GradeCounts:
    group: RiskGrade | None = strawberry.field(name="riskGrade", description="The grade; null for those not graded.")
    counts: list[int] = of_clusters("counts", "Numbers of enterprises, in the order of the clusters.", 4)


@strawberry.type(description="How many hazards of one level each cluster has.")
class LevelCounts:
    group: HazardLevel = strawberry.field(name="level", description="The level.")
    counts: list[int] = of_clusters("counts", "Numbers of hazards, in the order of the clusters.", 4)


@strawberry.type(description="How many resources of one kind each cluster has.")
class KindCounts:
    group: MapKind = strawberry.field(name="kind", description="The kind.")
    counts: list[int] = of_clusters("counts", "Numbers of resources, in the order of the clusters.", 4)


@strawberry.type
class Clusters:
    """Columns of equal length, from south to north and from west to east."""

    longitudes: list[float] = of_clusters("longitudes", "Mean longitudes of the members in degrees.")
    latitudes: list[float] = of_clusters("latitudes", "Mean latitudes of the members in degrees.")
    counts: list[int] = of_clusters("counts", "Numbers of members.", 5)
    wests: list[float] = of_clusters("wests", "Western edges of the cells that hold the members, in degrees.")
    souths: list[float] = of_clusters("souths", "Southern edges of the cells, in degrees.")
    easts: list[float] = of_clusters("easts", "Eastern edges of the cells, in degrees.")
    norths: list[float] = of_clusters("norths", "Northern edges of the cells, in degrees.")


CLUSTERS = (
    "Clusters as columns of equal length, from south to north and west to east. A cluster is a cell of a fixed grid, a"
    " quarter of a tile wide at this zoom, and counts its whole cell, also where the box cuts it."
)


@strawberry.type(description=CLUSTERS)
class EnterpriseClusters(Clusters):
    groups: list[GradeCounts] = strawberry.field(
        name="byGrade", description="The same by grade, the gravest first and those not graded last; none without any."
    )


@strawberry.type(description=CLUSTERS)
class HazardClusters(Clusters):
    groups: list[LevelCounts] = strawberry.field(name="byLevel", description="The same by level; none without any.")


@strawberry.type(description=CLUSTERS)
class ResourceClusters(Clusters):
    groups: list[KindCounts] = strawberry.field(name="byKind", description="The same by kind; none without any.")


TOTAL = "Number of rows with a place: in the box if there are points, in the clusters if there are those."
POINTS = "The points, by group; null if there are clusters."
CLUSTERED = "The clusters; null if there are points."


@strawberry.type(description="Enterprises in a box: points or clusters.")
class EnterpriseMap:
    total: int = strawberry.field(description=TOTAL)
    points: list[EnterprisePoints] | None = strawberry.field(description=POINTS)
    clusters: EnterpriseClusters | None = strawberry.field(description=CLUSTERED)


@strawberry.type(description="Hazards in a box, at the places of their enterprises: points or clusters.")
class HazardMap:
    total: int = strawberry.field(description=TOTAL)
    points: list[HazardPoints] | None = strawberry.field(description=POINTS)
    clusters: HazardClusters | None = strawberry.field(description=CLUSTERED)


@strawberry.type(description="Resources in a box: points or clusters.")
class ResourceMap:
    total: int = strawberry.field(description=TOTAL)
    points: list[ResourcePoints] | None = strawberry.field(description=POINTS)
    clusters: ResourceClusters | None = strawberry.field(description=CLUSTERED)


def box(value: BoxInput, asker: Requester) -> Box:
    return Box(value.west, value.south, value.east, value.north).checked()


def resource_filter(value: ResourceFilter, asker: Requester) -> Callable[[MapKind], Conditions]:
    return lambda kind: conditions(NODES[NODE_OF[kind]], value, asker)


def map_arguments(filter: BatchArgument, **more: str) -> Mapping[str, str | BatchArgument]:
    return {
        "box": BatchArgument("The part of the map.", lambda: BoxInput, box),
        "zoom": f"Zoom of the map, as of tiles of 256 pixels: 0 for the whole globe, to {ZOOM_MAXIMUM}. It sets the"
        f" size of clusters; they are larger where the box would have more than {CELLS_MAXIMUM}.",
        **more,
        "filter": filter,
        "points": f"Greatest number of points, 0 to {POINTS_MAXIMUM:,}. Where more rows match, there are clusters.",
    }


ENTERPRISES = map_arguments(filtered("Enterprise", "Conditions on the enterprises."))
HAZARDS = map_arguments(filtered("Hazard", "Conditions on the hazards."))
RESOURCES = map_arguments(
    BatchArgument("Conditions on the resources of each kind.", lambda: ResourceFilter | None, resource_filter),
    kinds="Kinds of resources.",
)
