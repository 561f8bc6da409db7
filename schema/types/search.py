"""What a search finds."""

from typing import TYPE_CHECKING, Annotated, Union

import strawberry

from schema.fields.references import ref

if TYPE_CHECKING:
    from schema.types.enterprise import Enterprise
    from schema.types.expert import Expert
    from schema.types.team import Team
    from schema.types.venue import Venue
    from schema.types.warehouse import Warehouse

SearchItem = Annotated[
    Union["Enterprise", "Venue", "Expert", "Team", "Warehouse"],
    strawberry.union("SearchItem", description="What can be searched for."),
]


@strawberry.type(description="Something that a search found.")
class SearchHit:
    matched: str = strawberry.field(description="The text in which it was found.")
    item: SearchItem = ref("item", "What was found.")
