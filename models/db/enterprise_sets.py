"""Writes and compares the sets of enterprises that portraits are counted from."""

from collections import defaultdict
from collections.abc import Iterable

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from models.db.portrait_rows import Connection, is_sqlite
from models.db.tables import table_of
from models.enterprise_set import PORTION, EnterpriseSet, SetKind
from models.portrait_facts import month_start

SET = table_of(EnterpriseSet)
WRITTEN = 1_000  # rows that are written at once, 2 kB each
DIGITS = PORTION // 4  # of a row's members in hexadecimal
MONTH, DAY = int(SetKind.MONTH), int(SetKind.DAY)  # plain numbers, because the hash of an enum's member is slow

SetKey = tuple[int, int, int]  # kind, key and portion


class SetChanges:
    """The enterprises to put into sets or to take out of them. Twice the same change is none."""

    def __init__(self) -> None:
        self.bits: defaultdict[SetKey, int] = defaultdict(int)

    def toggle(self, kind: int, key: int, enterprise: int) -> None:
        """Put an enterprise into a set, or take it out if it is a member."""
        portion, number = divmod(enterprise, PORTION)
        self.bits[kind, key, portion] ^= 1 << number

    def toggle_inspected(self, enterprise: int, before: Iterable[int], after: Iterable[int]) -> None:
        """Change the sets of days and months of an enterprise from those of some days of inspections to others."""
        old, new = set(before), set(after)
        for day in old ^ new:
            self.toggle(DAY, day, enterprise)
        for month in {*map(month_start, old)} ^ {*map(month_start, new)}:
            self.toggle(MONTH, month, enterprise)


async def write(connection: Connection, changes: SetChanges) -> None:
    """Apply the changes. One statement for each WRITTEN rows. To be called with the log's append lock."""
    rows = [(*key, f"{bits:0{DIGITS}x}") for key, bits in sorted(changes.bits.items()) if bits]
    statement = SQLITE_TOGGLE if is_sqlite(connection) else POSTGRESQL_TOGGLE
    for start in range(0, len(rows), WRITTEN):
        rows_json = orjson.dumps(rows[start : start + WRITTEN]).decode()
        await connection.execute(statement, {"rows": rows_json})


def _toggle(values: str, source: str, exclusive_or: str) -> sa.TextClause:
    """The statement that changes the members in a JSON array of rows, with the members in hexadecimal."""
    return sa.text(
        f"INSERT INTO enterprise_set (kind, key, portion, members) SELECT {values} FROM {source} WHERE true"
        f" ON CONFLICT (kind, key, portion) DO UPDATE SET members = {exclusive_or}"
    )


SQLITE_TOGGLE = _toggle(
    "json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),"
    " bits_of_hex(json_extract(value, '$[3]'))",
    "json_each(:rows)",
    "bits_exclusive_or(enterprise_set.members, excluded.members)",
)
POSTGRESQL_TOGGLE = _toggle(
    "CAST(row->>0 AS smallint), CAST(row->>1 AS integer), CAST(row->>2 AS integer),"
    f" CAST('x' || (row->>3) AS bit({PORTION}))",
    "jsonb_array_elements(CAST(:rows AS jsonb)) AS row",
    "enterprise_set.members # excluded.members",
)


async def remove(connection: Connection, kind: int, key: int) -> None:
    """Empty a set."""
    await connection.execute(sa.delete(SET).where(SET.c.kind == kind, SET.c.key == key))


async def remove_all(connection: Connection) -> None:
    await connection.execute(sa.delete(SET))


async def differences(connection: AsyncConnection, expected: SetChanges) -> int:
    """The number of rows that differ from those that the changes would make of nothing."""
    wanted, different = dict(expected.bits), 0
    async for row in await connection.stream(sa.select(SET)):
        different += wanted.pop((row.kind, row.key, row.portion), 0) != row.members
    return different + sum(bits != 0 for bits in wanted.values())
