"""Parts of the command."""

from typing import TYPE_CHECKING

import models
from models import PERSONAL_DATA, CommandKind
from schema.fields.columns import column, compute, sub_object
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types.scalars import Contact, contacts

if TYPE_CHECKING:
    from schema.types.zone import Zone


@node(models.CommandUnit)
class CommandUnit(Node):
    """A part of the command that runs the protection (一办六组四战区)."""

    kind: CommandKind = column(models.CommandUnit.kind, "Which level.")
    name: str = column(models.CommandUnit.name, "Name.")
    duties: str | None = column(models.CommandUnit.duties, "What it answers for; null if that was not said.")
    lead: Contact | None = sub_object(
        "Who leads it; null if vacant, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        name=models.CommandUnit.lead_name,
        phone=models.CommandUnit.lead_phone,
    )
    zone: "Zone | None" = to_one(models.CommandUnit.zone_id, "The zone that it commands; null for office and groups.")
    members: list[Contact] = compute(
        contacts,
        models.CommandUnit.members,
        description="Its people; empty for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
    )
