"""Where a viewer can read a piece of evidence."""

import datetime as dt
from collections.abc import Sequence

from resolvers.sql.readers import Reader


async def evidence_urls(reader: Reader, parents: Sequence[tuple[str, dt.datetime | None]]) -> list[str | None]:
    """For each (SHA-256, when it came into the store) an address for a short time; None where there is nothing."""
    signer = reader.signer
    return [None if signer is None or stored is None else signer.url(sha256, reader.now) for sha256, stored in parents]
