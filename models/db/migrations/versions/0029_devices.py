"""Adds the device to idempotency keys, so that one of a device counts whoever is signed in there."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

INDEX = "ix_client_mutation_device_client_mutation_id"


def upgrade() -> None:
    op.add_column("client_mutation", sa.Column("device", sa.String(length=64), nullable=True))
    op.create_index(INDEX, "client_mutation", ["device", "client_mutation_id"], unique=True)


def downgrade() -> None:
    op.drop_index(INDEX, "client_mutation")
    op.drop_column("client_mutation", "device")
