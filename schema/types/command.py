"""Parts of the command."""

import models
from models import PERSONAL_DATA, CommandKind
from schema.fields.columns import column, compute, sub_object
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import TEXT, Node
from schema.types import lazy
from schema.types.enums import describe
from schema.types.scalars import Contact, contacts

describe(
    CommandKind,
    "A level of the command (一办六组四战区).",
    OFFICE="The office (办公室).",
    GROUP="One of the six groups (工作组).",
    ZONE_HQ="The headquarters of a zone (战区指挥部).",
)


@node(models.CommandUnit)
class CommandUnit(Node):
    """A unit of the command in charge of the protection (一办六组四战区)."""

    kind: CommandKind = column(models.CommandUnit.kind, "Level of the command.")
    name: str = column(models.CommandUnit.name, "Name.")
    duties: str | None = column(models.CommandUnit.duties, "Duties; null if not known.", size=TEXT)
    lead: Contact | None = sub_object(
        "Leader; null if vacant, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        name=models.CommandUnit.lead_name,
        phone=models.CommandUnit.lead_phone,
    )
    zone: lazy.Zone | None = to_one(
        models.CommandUnit.zone_id, "The zone that it commands; null for office and groups."
    )
    members: list[Contact] = compute(
        contacts,
        models.CommandUnit.members,
        description="Members; empty for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
    )
