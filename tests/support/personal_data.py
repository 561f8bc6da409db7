"""Recognisable personal data: every personal value is replaced by a mark with its table, column and key."""

import re
from collections.abc import Iterable

import sqlalchemy as sa

from models.db.database import Database
from tests.support.owner_subset import Keys, table

MARK = re.compile(r"~(\w+)\.(\w+)\.(\d+)~")

# The columns behind every Contact, fullName, phone, actor name, streamUrl and evidence.
PERSONAL = {
    "enterprise": ("legal_name", "legal_phone", "safety_name", "safety_phone"),
    "hazard": ("owner_name", "owner_phone"),
    "control_measure": ("responsible_name", "responsible_phone"),
    "camera": ("stream_url",),
    "inspector": ("full_name", "phone"),
    "expert": ("full_name", "phone"),
    "team": ("leader_name", "leader_phone"),
    "warehouse": ("keeper_name", "keeper_phone"),
    "command_unit": ("lead_name", "lead_phone", "members"),
    "evidence": ("media_type", "sha256"),
    "event": ("actor_name", "changes"),
    "handover": ("leaving_name", "arriving_name", "note"),
}
# Names of things, and columns that no client sees. Any other column that looks like a name or phone is personal.
IMPERSONAL = {
    "name",
    "name_en",
    "uploader",  # of an upload, which is in no type of the graph
}
KINDS = frozenset((name, column) for name, columns in PERSONAL.items() for column in columns)


async def mark(database: Database) -> None:
    """Replace all personal data by marks."""
    async with database.write() as session:
        connection = await session.connection()
        for name, columns in PERSONAL.items():
            each = table(name)
            plain = [c for c in columns if not isinstance(each.c[c].type, sa.JSON)]
            for column in plain:
                key = sa.cast(each.c.id, sa.String)
                await connection.execute(sa.update(each).values({column: f"~{name}.{column}." + key + "~"}))
        for name, column in (("command_unit", "members"), ("event", "changes")):
            each = table(name)
            for (key,) in (await connection.execute(sa.select(each.c.id))).all():
                text = f"~{name}.{column}.{key}~"
                changes = [
                    {"field": "ownerName", "from": text, "to": text, "personal": True},
                    {"field": "category", "from": "机械", "to": "电气", "personal": False},
                ]
                value = changes if name == "event" else [{"name": text, "phone": text}]
                await connection.execute(sa.update(each).where(each.c.id == key).values({column: value}))


def marks(values: Iterable[object]) -> set[tuple[str, str, int]]:
    """Table, column and key of every mark in these values."""
    return {(name, column, int(key)) for value in values for name, column, key in MARK.findall(str(value))}


def own_marks(keys: Keys) -> set[tuple[str, str, int]]:
    """All marks in an enterprise's own rows."""
    return {(name, column, key) for name, column in KINDS for key in keys[name]}
