"""The field `Evidence.url`."""

import datetime as dt
from collections.abc import Sequence

from resolvers.sql.readers import Reader


async def evidence_urls(reader: Reader, parents: Sequence[tuple[str, dt.datetime | None]]) -> list[str | None]:
    """For each (SHA-256, time at which it was stored) a signed path; None if its bytes are not in the store."""
    signer = reader.signer
    return [None if signer is None or stored is None else signer.url(sha256, reader.now) for sha256, stored in parents]
