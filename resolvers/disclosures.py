"""What an operation shows of enterprises' personal data, for the access log.

Both executors note it in the set of the operation (`RequestInfo.disclosures`) when they build a value. SQL that returns
JSON cannot note anything, so it puts a mark before the value, which is taken out of the text again.
"""

import re
from typing import Any

import sqlalchemy as sa

import models
from models.access import AccessKind
from models.db.tables import table_of
from models.visibility import PERSONAL_DATA, Right, Role, Visibility

# The kind of the data, and the key of the enterprise that it is about; of evidence its SHA-256.
Disclosure = tuple[AccessKind, int | str]

# By table, the kind of its rows' personal data, and the column with the enterprise's key. Other tables' personal data
# are about the bureau's own people. Fields of evidence note it themselves.
ENTERPRISES: dict[sa.Table, tuple[AccessKind, str]] = {
    table_of(models.Enterprise): (AccessKind.CONTACTS, "id"),
    table_of(models.Hazard): (AccessKind.CONTACTS, "enterprise_id"),
    table_of(models.ControlMeasure): (AccessKind.CONTACTS, "enterprise_id"),
    table_of(models.Camera): (AccessKind.CAMERAS, "enterprise_id"),
}
# A mark in a text of JSON: begin, kind, key, end. No JSON has these characters.
BEGIN, END = "\x02", "\x03"
BEGIN_SQL, END_SQL = "chr(2)", "chr(3)"
MARK = re.compile(f"{BEGIN}([^{END}]*){END}")
MARK_BYTES = re.compile(MARK.pattern.encode())
KINDS = {kind.value: kind for kind in AccessKind}


def is_kept(visibility: Visibility) -> bool:
    """Whether it is kept what a viewer reads. An enterprise reads its own data."""
    return visibility.role is not Role.ENTERPRISE


def disclosed_by(table: sa.Table, sees: Right | None, visibility: Visibility) -> tuple[AccessKind, str] | None:
    """What a field that needs a right shows of rows of this table; None if that is not kept."""
    return ENTERPRISES.get(table) if sees is PERSONAL_DATA and is_kept(visibility) else None


def note_row(disclosures: set[Disclosure], kind: AccessKind, key: Any) -> None:
    """Note the data of one row; `key` is None for a row without an enterprise."""
    if key is not None:
        disclosures.add((kind, key))


def unmarked(text: str, disclosures: set[Disclosure]) -> str:
    """The text without its marks, which are noted."""
    parts = MARK.split(text)
    disclosures.update((KINDS[mark[0]], int(mark[1:])) for mark in set(parts[1::2]) if len(mark) > 1)
    return "".join(parts[::2])


def unmarked_bytes(text: bytes, disclosures: set[Disclosure]) -> bytes:
    """Like `unmarked`, for UTF-8."""
    parts = MARK_BYTES.split(text)
    disclosures.update((KINDS[chr(mark[0])], int(mark[1:])) for mark in set(parts[1::2]) if len(mark) > 1)
    return b"".join(parts[::2])
