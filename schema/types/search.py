"""What a search finds."""

from typing import Annotated

import strawberry

from resolvers.queries.search import SearchKind
from schema.fields.references import ref
from schema.types import lazy
from schema.types.enums import describe

describe(
    SearchKind,
    "What a search looks through.",
    ENTERPRISE="Enterprises, by name, address and credit code.",
    VENUE="Venues, by their names.",
    EXPERT="Experts, by specialty; by name for a viewer who may see personal data.",
    TEAM="Teams, by name.",
    WAREHOUSE="Warehouses, by name.",
)

SearchItem = Annotated[
    lazy.Enterprise | lazy.Venue | lazy.Expert | lazy.Team | lazy.Warehouse,
    strawberry.union("SearchItem", description="What can be searched for."),
]


@strawberry.type(description="Something that a search found.")
class SearchHit:
    matched: str = strawberry.field(description="The text in which it was found.")
    item: SearchItem = ref("item", "What was found.")
