"""Adds issued tokens, the pairing of screens, and the identity of whoever caused an event."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")
ROLES = ("COMMANDER", "INSPECTOR", "ENTERPRISE", "WALL", "INTEGRATOR")
KINDS = ("PERSON", "PROGRAM", "SCREEN")


def upgrade() -> None:
    role = sa.Enum(*ROLES, name="role", native_enum=False, create_constraint=True, length=32)
    kind = sa.Enum(*KINDS, name="kind", native_enum=False, create_constraint=True, length=32)
    op.create_table(
        "token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("jti", sa.String(length=32), nullable=False),
        sa.Column("kind", kind, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", role, nullable=True),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("inspector_id", sa.Integer(), nullable=True),
        sa.Column("enterprise_id", sa.Integer(), nullable=True),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("issued_by", sa.String(), nullable=False),
        sa.Column("issued_at", UTC_TIME, nullable=False),
        sa.Column("expires_at", UTC_TIME, nullable=False),
        sa.Column("revoked_by", sa.String(), nullable=True),
        sa.Column("revoked_at", UTC_TIME, nullable=True),
        sa.Column("last_used_at", UTC_TIME, nullable=True),
        sa.CheckConstraint("(account_id IS NULL) = (role IS NOT NULL)", name=op.f("ck_token_holder")),
        sa.CheckConstraint(
            "role IS NULL OR (role = 'INSPECTOR') = (inspector_id IS NOT NULL)", name=op.f("ck_token_inspector")
        ),
        sa.CheckConstraint(
            "role IS NULL OR (role = 'ENTERPRISE') = (enterprise_id IS NOT NULL)", name=op.f("ck_token_enterprise")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_token_account_id_account"),
        sa.ForeignKeyConstraint(
            ["inspector_id"], ["inspector.id"], name="fk_token_inspector_id_inspector", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name="fk_token_enterprise_id_enterprise", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.UniqueConstraint("jti", name="uq_token_jti"),
    )
    living = sa.text("revoked_at IS NULL")
    op.create_index(
        "uq_token_living_name", "token", ["kind", "name"], unique=True, sqlite_where=living, postgresql_where=living
    )
    for column in ("account_id", "inspector_id", "enterprise_id"):
        op.create_index(f"ix_token_{column}", "token", [column])
    op.create_table(
        "pairing",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_code", sa.String(length=8), nullable=False),
        sa.Column("device_hash", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("expires_at", UTC_TIME, nullable=False),
        sa.Column("interval", sa.Integer(), nullable=False),
        sa.Column("asked_at", UTC_TIME, nullable=True),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("denied_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name="fk_pairing_token_id_token", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_pairing"),
        sa.UniqueConstraint("user_code", name="uq_pairing_user_code"),
        sa.UniqueConstraint("device_hash", name="uq_pairing_device_hash"),
    )
    op.create_index("ix_pairing_expires_at", "pairing", ["expires_at"])
    op.create_index("ix_pairing_token_id", "pairing", ["token_id"])
    op.add_column("event", sa.Column("actor", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("event", "actor")
    for table in ("pairing", "token"):
        op.drop_table(table)
