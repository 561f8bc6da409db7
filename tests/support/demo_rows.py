"""The demo's rows as they are made, before any database."""

import datetime as dt
from collections import defaultdict
from typing import Any

from models import Row
from resolvers.demo import batches

TODAY = dt.date(2026, 11, 22)
MIDNIGHT = dt.datetime(2026, 11, 21, 16, tzinfo=dt.UTC)  # 0:00 of TODAY in Xiaoshan
NUMBER = 200  # of enterprises

Rows = dict[type[Row], list[dict[str, Any]]]


def make(number: int = NUMBER, today: dt.date = TODAY) -> Rows:
    """All rows of a demo with so many enterprises, by model."""
    made: Rows = defaultdict(list)
    for batch in batches(number, today):
        for table, rows in batch.items():
            made[table] += rows
    return made


def by_id(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in rows}
