"""Who asks."""

import datetime as dt
from typing import TYPE_CHECKING

import strawberry

from models import Role
from schema.fields.references import ref

if TYPE_CHECKING:
    from schema.types.enterprise import Enterprise
    from schema.types.inspector import Inspector


@strawberry.type(description="Who asks, and what they may do.")
class Viewer:
    role: Role = strawberry.field(description="In which role.")
    name: str | None = strawberry.field(description="Name in the token; null if it has none.")
    inspector: "Inspector | None" = ref("inspector", "Which officer; null in other roles.")
    enterprise: "Enterprise | None" = ref("enterprise", "Which enterprise; null in other roles.")
    scopes: list[str] = strawberry.field(description="What a program is allowed; empty in other roles.")
    expires_at: dt.datetime | None = strawberry.field(description="When the token ends; null without a token.")
