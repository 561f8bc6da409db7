"""The grid of the map: square cells in degrees, each of which divides into four of the next level.

At level n the globe is 2ⁿ cells around. A key numbers the cells of the finest level so that all cells within a coarser
one are one range (Morton order, also called z-order). An index on the key counts the rows of a cell without sorting.
"""

import math
from functools import lru_cache
from typing import NamedTuple

FINEST = 18  # cells of 0.0014°, some 150 metres
SCALE = 2**FINEST / 360  # cells of the finest level to a degree
# A centimetre, so that round coordinates are not on a border, where databases would round them to different cells.
SHIFT = 1e-7
COLUMNS, ROWS = FINEST + 1, FINEST  # bits of a cell's column and row; longitude 180 has a column of its own
BITS = COLUMNS + ROWS


class Cell(NamedTuple):
    """A cell of some level by its column, counted from longitude -180, and its row, from latitude -90."""

    column: int
    row: int


def column_sql(longitude: str) -> str:
    """The finest column of a longitude in SQL, alike on both databases: neither has a cast to integer that floors."""
    return f"CAST(round(({longitude} + {180 + SHIFT!r}) * {SCALE!r} - 0.5) AS BIGINT)"


def row_sql(latitude: str) -> str:
    """The finest row of a latitude in SQL."""
    return f"CAST(round(({latitude} + {90 + SHIFT!r}) * {SCALE!r} - 0.5) AS BIGINT)"


def key_sql(rank: str) -> str:
    """The key of a located row in SQL: by `rank`, a small number that is not null, and then by cell."""
    column, row = column_sql("longitude"), row_sql("latitude")
    # Bit i of the column moves to place 2i, that of the row to place 2i + 1.
    bits = [f"({column} & {1 << i}) * {1 << i}" for i in range(COLUMNS)]
    bits += [f"({row} & {1 << i}) * {2 << i}" for i in range(ROWS)]
    return f"({rank} * {1 << BITS} + {' + '.join(bits)})"


def cell_of(longitude: float, latitude: float, level: int) -> Cell:
    column = math.floor((longitude + (180 + SHIFT)) * SCALE) >> (FINEST - level)
    return Cell(column, math.floor((latitude + (90 + SHIFT)) * SCALE) >> (FINEST - level))


def key_range(rank: int, cell: Cell, level: int) -> tuple[int, int]:
    """The first and the last key of a cell's rows."""
    shift = FINEST - level
    first = rank << BITS | spread(cell.column << shift) | spread(cell.row << shift) << 1
    return first, first + keys_in_cell(level) - 1


def keys_in_cell(level: int) -> int:
    """How many keys a cell has, which are those of its cells of the finest level."""
    return 1 << 2 * (FINEST - level)


@lru_cache(maxsize=4_096)  # the cells of a box have few columns and rows
def spread(number: int) -> int:
    """The number with its bit i at place 2i."""
    return sum((number >> i & 1) << 2 * i for i in range(COLUMNS))


def bounds(cell: Cell, level: int) -> tuple[float, float, float, float]:
    """West, south, east and north of a cell in degrees."""
    size = 360 / 2**level
    west, south = cell.column * size - 180 - SHIFT, cell.row * size - 90 - SHIFT
    return max(west, -180.0), max(south, -90.0), min(west + size, 180.0), min(south + size, 90.0)
