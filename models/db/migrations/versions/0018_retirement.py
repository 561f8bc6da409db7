"""Adds the retirement of enterprises that vanish from their registers."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0015"
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")


COLUMN = "CAST(round((longitude + 180.0000001) * 728.1777777777778 - 0.5) AS BIGINT)"
ROW = "CAST(round((latitude + 90.0000001) * 728.1777777777778 - 0.5) AS BIGINT)"
BITS = [f"({COLUMN} & {1 << i}) * {1 << i}" for i in range(19)] + [f"({ROW} & {1 << i}) * {2 << i}" for i in range(18)]
# The key of the map, which retired enterprises have not.
OLD_RANK, RANK = "coalesce(risk_grade, 0)", "CASE WHEN retired_at IS NULL THEN coalesce(risk_grade, 0) END"
OLD_KEY, KEY = (sa.text(f"({rank} * {1 << 37} + {' + '.join(BITS)})") for rank in (OLD_RANK, RANK))


def upgrade() -> None:
    op.add_column("enterprise", sa.Column("retired_at", UTC_TIME, nullable=True))
    op.drop_index("ix_enterprise_map", "enterprise")
    op.create_index("ix_enterprise_map", "enterprise", [KEY, "longitude", "latitude", "risk_grade", "retired_at"])
    retired = sa.text("retired_at IS NOT NULL")
    op.create_index("ix_enterprise_retired", "enterprise", ["id"], sqlite_where=retired, postgresql_where=retired)
    op.create_table(
        "register_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("register_name", sa.String(length=200), nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name=op.f("fk_register_entry_enterprise_id_enterprise")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_entry")),
        sa.UniqueConstraint(
            "register_name", "enterprise_id", name=op.f("uq_register_entry_register_name_enterprise_id")
        ),
    )
    op.create_index(op.f("ix_register_entry_enterprise_id"), "register_entry", ["enterprise_id"])


def downgrade() -> None:
    op.drop_table("register_entry")
    op.drop_index("ix_enterprise_retired", "enterprise")
    op.drop_index("ix_enterprise_map", "enterprise")
    op.create_index("ix_enterprise_map", "enterprise", [OLD_KEY, "longitude", "latitude", "risk_grade"])
    op.drop_column("enterprise", "retired_at")
