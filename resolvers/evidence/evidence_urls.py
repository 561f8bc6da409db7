"""The field `Evidence.url`."""

import datetime as dt
from collections.abc import Sequence

from models.access import AccessKind
from resolvers.disclosures import is_kept
from resolvers.sql.readers import Reader


async def evidence_urls(reader: Reader, parents: Sequence[tuple[str, dt.datetime | None]]) -> list[str | None]:
    """For each (SHA-256, time at which it was stored) a signed path; None if its bytes are not in the store."""
    signer = reader.signer
    if is_kept(reader.viewer.visibility):
        reader.disclosures.update((AccessKind.EVIDENCE, sha256) for sha256, stored in parents if stored and signer)
    return [None if signer is None or stored is None else signer.url(sha256, reader.now) for sha256, stored in parents]
