"""The query `evidenceStatus`: which files of the viewer, or of the viewer's device, the server has."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence.attach import EVIDENCE, SENT, UPLOAD
from resolvers.evidence.store import NAME
from resolvers.sql.predicates import among
from resolvers.sql.readers import Reader

HASHES_MAXIMUM = 1_000


@dataclass(frozen=True, slots=True)
class Status:
    """The server's answer to whether it has a file with the hash `sha256`, as the client sent it.

    `evidence` is the key of what became of it; None if the server has it not. `kept_until` is None for evidence that is
    attached, which stays.
    """

    sha256: str
    evidence: int | None = None
    kept_until: dt.datetime | None = None


async def status(reader: Reader, parents: Sequence[tuple[()]], *, sha256: list[str]) -> list[list[Status]]:
    """The status of each hash, in their order. Raises RequestError for a text that is no hash."""
    if len(sha256) > HASHES_MAXIMUM or not all(NAME.fullmatch(each) for each in sha256):
        reason = Reason(
            "HASHES_MALFORMED",
            "Give at most {maximum:,} hashes, each of 64 digits in lower case: 0 to 9, a to f.",
            maximum=HASHES_MAXIMUM,
        )
        raise RequestError(ErrorCode.BAD_INPUT, reason)
    named = reader.device is not None
    values = {"hashes": sorted(set(sha256)), "viewer": reader.viewer.identity}
    rows = await reader.rows(_statement(named, reader.sqlite), values | ({"device": reader.device} if named else {}))
    # The last one counts: the same file may have been sent with and without its positions.
    known = {row.sha256: row for row in rows}
    statuses = [_status(each, known.get(each), reader.evidence_age) for each in sha256]
    return [statuses for _ in parents]


def _status(sha256: str, row: Any, age: dt.timedelta) -> Status:
    if row is None:
        return Status(sha256)
    return Status(sha256, row.evidence_id, None if row.attached else row.uploaded_at + age)


@lru_cache(maxsize=4)
def _statement(named: bool, sqlite: bool) -> sa.Select[Any]:
    own = SENT.c.uploader == sa.bindparam("viewer", type_=sa.String())
    if named:
        own = sa.or_(own, SENT.c.device == sa.bindparam("device", type_=sa.String()))
    # Evidence is kept from its last upload on, also by somebody else.
    last = sa.func.max(UPLOAD.c.at, type_=UPLOAD.c.at.type)
    uploaded_at = sa.select(last).where(UPLOAD.c.evidence_id == EVIDENCE.c.id).scalar_subquery()
    return (
        sa.select(SENT.c.sha256, SENT.c.evidence_id, EVIDENCE.c.attached, uploaded_at.label("uploaded_at"))
        .join(EVIDENCE, EVIDENCE.c.id == SENT.c.evidence_id)
        .where(among(SENT.c.sha256, "hashes", sqlite), own, EVIDENCE.c.stored_at.is_not(None))
        .order_by(SENT.c.at, SENT.c.id)
    )
