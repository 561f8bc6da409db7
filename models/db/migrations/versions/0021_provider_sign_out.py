"""Adds the ID tokens of logins, which the identity provider wants back when people sign out."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("login", sa.Column("id_token", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("login", "id_token")
