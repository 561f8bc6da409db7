"""Indexes enterprises by grade and cell of the map's grid."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None

COLUMN = "CAST(round((longitude + 180.0000001) * 728.1777777777778 - 0.5) AS BIGINT)"
ROW = "CAST(round((latitude + 90.0000001) * 728.1777777777778 - 0.5) AS BIGINT)"
# The bits of a column and a row take turns (models/grid.py).
BITS = [f"({COLUMN} & {1 << i}) * {1 << i}" for i in range(19)] + [f"({ROW} & {1 << i}) * {2 << i}" for i in range(18)]
KEY = f"(coalesce(risk_grade, 0) * {1 << 37} + {' + '.join(BITS)})"


def upgrade() -> None:
    op.create_index("ix_enterprise_map", "enterprise", [sa.text(KEY), "longitude", "latitude", "risk_grade"])


def downgrade() -> None:
    op.drop_index("ix_enterprise_map", "enterprise")
