"""The viewer of an operation."""

import datetime as dt

import strawberry

from models import Role
from schema.fields.references import ref
from schema.types import lazy
from schema.types.enums import describe

describe(
    Role,
    "Role of a viewer.",
    COMMANDER="The duty officer of the command centre (指挥长): sees and does everything.",
    INSPECTOR="An officer in the field (检查员).",
    ENTERPRISE="A guarded enterprise (企业): its own file only.",
    WALL="A screen in the command centre (大屏): everything but personal data.",
    INTEGRATOR="A program (系统对接): what its scopes allow.",
)


@strawberry.type(description="The viewer of this operation, and their rights.")
class Viewer:
    role: Role = strawberry.field(description="Role.")
    name: str | None = strawberry.field(description="Name in the token; null if there is none.")
    inspector: lazy.Inspector | None = ref("inspector", "The inspector; null in other roles.")
    enterprise: lazy.Enterprise | None = ref("enterprise", "The enterprise; null in other roles.")
    scopes: list[str] = strawberry.field(description="Scopes of a program; empty in other roles.")
    expires_at: dt.datetime | None = strawberry.field(description="When the token ends; null without a token.")
