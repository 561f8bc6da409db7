"""One filter for experts, teams, warehouses and inspectors."""

import strawberry

from models import TeamKind
from schema.fields.directives import Limits
from schema.fields.filters import alternatives, opposite


@strawberry.input(description="Units of a supply that are needed.")
class StockNeed:
    code: str = strawberry.field(description="Code of the supply, 7 digits (GB/T 38565).")
    quantity: int = strawberry.field(
        default=1, description="Unreserved units that there must be, 1 or more.", directives=[Limits(min=1)]
    )


@strawberry.input(description="Conditions on experts, teams, warehouses or inspectors.")
class ResourceFilter:
    zones: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="In any of these zones; inspectors by the zone that they are assigned to."
    )
    zone_codes: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="In a zone with any of these codes; inspectors as with `zones`."
    )
    available: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="If true, those that can be sent now: teams and experts on standby and not on a dispatch,"
        " inspectors on duty, warehouses with unreserved stock. If false, the others.",
    )
    text: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The name, an expert's specialty or an inspector's badge contains this text."
        " Names of people are searched only for a viewer who may see personal data.",
    )
    team_kinds: list[TeamKind] | None = strawberry.field(
        default=strawberry.UNSET, description="Teams of any of these kinds."
    )
    specialty: str | None = strawberry.field(
        default=strawberry.UNSET, description="Experts with a specialty that contains this text."
    )
    stock_code: str | None = strawberry.field(
        default=strawberry.UNSET, description="Warehouses with any stock of this supply (GB/T 38565 code, 7 digits)."
    )
    stock: StockNeed | None = strawberry.field(
        default=strawberry.UNSET, description="Warehouses that can give so many units of this supply now."
    )
    or_: list["ResourceFilter"] | None = alternatives()
    not_: "ResourceFilter | None" = opposite()
