"""Adds sets of enterprises, from which portraits count who was inspected in a window.

`migrate` fills them from the rows afterwards (models/db/portrait_sums.py).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "enterprise_set",
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("portion", sa.Integer(), nullable=False),
        sa.Column("members", sa.LargeBinary().with_variant(postgresql.BIT(8_192), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", "portion", name=op.f("pk_enterprise_set")),
    )


def downgrade() -> None:
    op.drop_table("enterprise_set")
