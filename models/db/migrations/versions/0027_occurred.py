"""Adds the time when an act was done to events, which arrive later where a device had no network."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0024"
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")


def upgrade() -> None:
    op.add_column("event", sa.Column("occurred_at", UTC_TIME, nullable=True))


def downgrade() -> None:
    op.drop_column("event", "occurred_at")
