"""Teams."""

import models
from models import PERSONAL_DATA, TeamKind
from resolvers.availability import AVAILABLE
from resolvers.sql.named_rows import ZONE_CODE, HasKey
from resolvers.sql.predicates import Among, Contains, Flag
from schema.fields.columns import column, sub_object
from schema.fields.connections import Connection, to_many
from schema.fields.filters import FilterField
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types import lazy
from schema.types.enums import describe
from schema.types.resource import ResourceFilter
from schema.types.scalars import Contact, Point

describe(
    TeamKind,
    "Purpose of a team.",
    FIRE="Fire (消防).",
    HAZMAT="Hazardous materials (危化品处置).",
    MEDICAL="Medical (医疗救护).",
    WATER_RESCUE="Water rescue (水上救援).",
    ENGINEERING="Engineering (工程抢险).",
    POWER="Power supply (电力保障).",
    SECURITY="Security (安保).",
    VOLUNTEER="Volunteers (志愿者).",
)


@node(
    models.Team,
    filter=ResourceFilter,
    predicates={
        "zones": FilterField(Among(models.Team.zone_id), "Zone"),
        "zone_codes": FilterField(HasKey(models.Team.zone_id, ZONE_CODE), by=ZONE_CODE),
        "available": FilterField(Flag(AVAILABLE[models.Team])),
        "text": FilterField(Contains(models.Team.name)),
        "team_kinds": FilterField(Among(models.Team.kind)),
    },
)
class Team(Node):
    """A rescue team (救援队伍)."""

    name: str = column(models.Team.name, "Name.")
    kind: TeamKind = column(models.Team.kind, "Purpose.")
    strength: int = column(models.Team.strength, "Number of people.")
    leader: Contact | None = sub_object(
        "Leader; null if not known, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        name=models.Team.leader_name,
        phone=models.Team.leader_phone,
    )
    location: Point | None = sub_object(
        "Base; null if not known.", latitude=models.Team.latitude, longitude=models.Team.longitude
    )
    zone: lazy.Zone | None = to_one(models.Team.zone_id, "Zone; null outside all zones.")
    on_standby: bool = column(models.Team.on_standby, "Whether on standby.")
    dispatches: Connection[lazy.Dispatch] = to_many(models.Dispatch.team_id, "Its dispatches, newest first.")
    version: int = column(models.Team.version, "Version; rises by one with every change.")
