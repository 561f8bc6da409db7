"""Indexes for maps of one zone and of open hazards."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

COLUMN = "CAST(round((longitude + 180.0000001) * 728.1777777777778 - 0.5) AS BIGINT)"
ROW = "CAST(round((latitude + 90.0000001) * 728.1777777777778 - 0.5) AS BIGINT)"
BITS = [f"({COLUMN} & {1 << i}) * {1 << i}" for i in range(19)] + [f"({ROW} & {1 << i}) * {2 << i}" for i in range(18)]
RANK = "CASE WHEN retired_at IS NULL THEN coalesce(risk_grade, 0) END"
KEY = sa.text(f"({RANK} * {1 << 37} + {' + '.join(BITS)})")
COLUMNS: list[str | sa.TextClause] = [KEY, "longitude", "latitude", "risk_grade", "retired_at"]


def upgrade() -> None:
    op.drop_index("ix_enterprise_map", "enterprise")
    op.create_index("ix_enterprise_map", "enterprise", [*COLUMNS, "zone_id"])
    is_open = sa.text("status NOT IN ('CLOSED', 'DISMISSED')")
    op.create_index(
        "ix_hazard_open", "hazard", ["enterprise_id", "level"], sqlite_where=is_open, postgresql_where=is_open
    )


def downgrade() -> None:
    op.drop_index("ix_hazard_open", "hazard")
    op.drop_index("ix_enterprise_map", "enterprise")
    op.create_index("ix_enterprise_map", "enterprise", COLUMNS)
