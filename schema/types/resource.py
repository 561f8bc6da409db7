"""Which resources: one filter for all that can be sent."""

import strawberry

from models import TeamKind


@strawberry.input(description="Which experts, teams, warehouses or inspectors.")
class ResourceFilter:
    zones: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="In any of these zones; of inspectors, those who are assigned there."
    )
    available: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="On standby or on duty, of warehouses with any stock that is not reserved; or the others.",
    )
    text: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="This text is a part of the name, an expert's specialty or an inspector's badge."
        " Names of people are looked through only for a viewer who may see personal data.",
    )
    team_kinds: list[TeamKind] | None = strawberry.field(
        default=strawberry.UNSET, description="Teams of any of these kinds."
    )
    specialty: str | None = strawberry.field(
        default=strawberry.UNSET, description="Experts with a specialty that has this text as a part."
    )
    stock_code: str | None = strawberry.field(
        default=strawberry.UNSET, description="Warehouses that have any of this supply (GB/T 38565 code, 7 digits)."
    )
