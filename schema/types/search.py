"""Hits of a search."""

from typing import Annotated

import strawberry

from resolvers.queries.search import SearchKind
from schema.fields.references import ref
from schema.fields.source import FieldCost
from schema.types import lazy
from schema.types.enums import describe

SEARCH_COST = FieldCost(read=5_000)  # a search reads the texts of all rows

describe(
    SearchKind,
    "Kinds of rows to search.",
    ENTERPRISE="Enterprises, by name, address and credit code.",
    VENUE="Venues, by their names.",
    EXPERT="Experts, by specialty; by name for a viewer who may see personal data.",
    TEAM="Teams, by name.",
    WAREHOUSE="Warehouses, by name.",
    INSPECTOR="Inspectors, by badge; by name for a viewer who may see personal data.",
)

SearchItem = Annotated[
    lazy.Enterprise | lazy.Venue | lazy.Expert | lazy.Team | lazy.Warehouse | lazy.Inspector,
    strawberry.union("SearchItem", description="A row that a search can find."),
]


@strawberry.type(description="A hit of a search.")
class SearchHit:
    matched: str = strawberry.field(description="The text that matched.")
    item: SearchItem = ref("item", "The row.")
