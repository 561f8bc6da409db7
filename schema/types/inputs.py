"""Nested inputs, and the plain values that actions get for them."""

import datetime as dt
from typing import Any

import strawberry

from models import HazardLevel, PenaltyKind
from resolvers.actions.inputs import Finding, FiveFixes, Person, Place, Sanction
from schema.fields.directives import Limits, Unit, with_directives
from schema.types.scalars import PointInput


@with_directives
@strawberry.input(description="A person to contact.")
class ContactInput:
    name: str = strawberry.field(description="Full name.")
    phone: str | None = strawberry.field(default=strawberry.UNSET, description="Telephone number.")


@with_directives
@strawberry.input(
    description="A hazard found by the inspection. With `hazard` it amends one that this inspection found before."
)
class FindingInput:
    hazard: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The hazard that is amended.", metadata={"of": "Hazard"}
    )
    level: HazardLevel = strawberry.field(description="Level of the hazard.")
    category: str | None = strawberry.field(default=strawberry.UNSET, description="Category of the hazard.")
    description: str = strawberry.field(description="Description of what was found.")
    deadline: dt.datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Deadline for the rectification; in the future."
    )
    fixed_on_spot: bool = strawberry.field(
        default=False, description="Rectified while the inspectors were there; not allowed for a major hazard."
    )
    evidence: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Evidence of it.", metadata={"of": "Evidence"}
    )


@with_directives
@strawberry.input(description="The five fixes (五落实).")
class FiveFixInput:
    responsibility: str = strawberry.field(description="Responsible person (责任).")
    measures: str = strawberry.field(description="Measures (措施).")
    funds: str = strawberry.field(description="Funds (资金).")
    deadline: dt.datetime = strawberry.field(description="Deadline (时限).")
    contingency_plan: str = strawberry.field(description="Contingency plan until then (预案).")


@with_directives
@strawberry.input(description="A penalty against an enterprise.")
class PenaltyInput:
    kinds: list[PenaltyKind] = strawberry.field(
        description="The kinds of penalty, at least one.", directives=[Limits(min_items=1)]
    )
    fine_yuan: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="The fine in yuan (CNY), with the kind FINE.",
        directives=[Limits(min=0), Unit(symbol="CNY")],
    )


INPUTS: dict[Any, Any] = {
    ContactInput: Person,
    PointInput: Place,
    FindingInput: Finding,
    FiveFixInput: FiveFixes,
    PenaltyInput: Sanction,
}
