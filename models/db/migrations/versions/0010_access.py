"""Adds the access log: who read which enterprise's personal data."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")
ROLES = ("COMMANDER", "INSPECTOR", "ENTERPRISE", "WALL", "INTEGRATOR")
KINDS = ("CONTACTS", "CAMERAS", "EVIDENCE")


def upgrade() -> None:
    op.create_table(
        "access",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("identity", sa.String(), nullable=True),
        sa.Column(
            "role", sa.Enum(*ROLES, name="role", native_enum=False, create_constraint=True, length=32), nullable=True
        ),
        sa.Column("enterprise_id", sa.Integer(), nullable=False),
        sa.Column(
            "what", sa.Enum(*KINDS, name="what", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("operation", sa.String(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["enterprise_id"], ["enterprise.id"], name="fk_access_enterprise_id_enterprise"),
        sa.PrimaryKeyConstraint("id", name="pk_access"),
    )
    op.create_index("ix_access_at", "access", ["at"])
    op.create_index("ix_access_enterprise_id_at", "access", ["enterprise_id", "at"])


def downgrade() -> None:
    op.drop_table("access")
