"""What is near something."""

from typing import TYPE_CHECKING, Annotated, Union

import strawberry

from schema.fields.references import ref

if TYPE_CHECKING:
    from schema.types.camera import Camera
    from schema.types.enterprise import Enterprise
    from schema.types.expert import Expert
    from schema.types.inspector import Inspector
    from schema.types.team import Team
    from schema.types.warehouse import Warehouse

NearbyItem = Annotated[
    Union["Enterprise", "Camera", "Expert", "Team", "Warehouse", "Inspector"],
    strawberry.union("NearbyItem", description="What can be near."),
]


@strawberry.type(description="Something near a point.")
class Nearby:
    distance_metres: int = strawberry.field(description="Metres along the ground (great circle).")
    bearing_degrees: int = strawberry.field(description="Degrees clockwise from north, at the point: 0 to 359.")
    item: NearbyItem = ref("item", "What is there.")
