"""Inputs inside inputs, and the plain values that they stand for."""

import datetime as dt
from typing import Any

import strawberry

from models import HazardLevel, PenaltyKind
from resolvers.actions.inputs import Finding, FiveFixes, Person, Place, Sanction
from schema.types.scalars import PointInput


@strawberry.input(description="A person to talk to.")
class ContactInput:
    name: str = strawberry.field(description="Full name.")
    phone: str | None = strawberry.field(default=strawberry.UNSET, description="Telephone number.")


@strawberry.input(
    description="A hazard. With `hazard` it amends one found before in this inspection; without, it is new."
)
class FindingInput:
    hazard: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The hazard that is amended.", metadata={"of": "Hazard"}
    )
    level: HazardLevel = strawberry.field(description="How grave it is.")
    category: str | None = strawberry.field(default=strawberry.UNSET, description="What kind of danger.")
    description: str = strawberry.field(description="What was found.")
    deadline: dt.datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Until when it is to be rectified; in the future."
    )
    fixed_on_spot: bool = strawberry.field(
        default=False, description="It was rectified while the inspectors were there; not for a major one."
    )
    evidence: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="What proves it.", metadata={"of": "Evidence"}
    )


@strawberry.input(description="The five fixes (五落实).")
class FiveFixInput:
    responsibility: str = strawberry.field(description="Who is responsible (责任).")
    measures: str = strawberry.field(description="What is done (措施).")
    funds: str = strawberry.field(description="What pays for it (资金).")
    deadline: dt.datetime = strawberry.field(description="Until when (时限).")
    contingency_plan: str = strawberry.field(description="What is done if it goes wrong meanwhile (预案).")


@strawberry.input(description="What is decided against an enterprise.")
class PenaltyInput:
    kinds: list[PenaltyKind] = strawberry.field(description="The kinds of penalty, at least one.")
    fine_yuan: int | None = strawberry.field(
        default=strawberry.UNSET, description="The fine in yuan (CNY), with the kind FINE."
    )


INPUTS: dict[Any, Any] = {
    ContactInput: Person,
    PointInput: Place,
    FindingInput: Finding,
    FiveFixInput: FiveFixes,
    PenaltyInput: Sanction,
}
