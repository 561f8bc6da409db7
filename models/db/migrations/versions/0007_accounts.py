"""Adds accounts, the browsers that are signed in, audit records, and delays after failed sign-ins."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")
ROLES = ("COMMANDER", "INSPECTOR", "ENTERPRISE", "WALL", "INTEGRATOR")
EVENT_KINDS = [
    "CREATED",
    "CHANGED",
    "DISABLED",
    "ENABLED",
    "PASSWORD_RESET",
    "PASSWORD_CHANGED",
    "TOTP_ENABLED",
    "TOTP_DISABLED",
    "SIGNED_IN",
    "SIGN_IN_FAILED",
    "SIGNED_OUT",
    "LOGIN_ENDED",
]


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("full_name", sa.String(), nullable=False),
        sa.Column(
            "role", sa.Enum(*ROLES, name="role", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("inspector_id", sa.Integer(), nullable=True),
        sa.Column("enterprise_id", sa.Integer(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("password_changed_at", UTC_TIME, nullable=True),
        sa.Column("must_change", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("totp_secret", sa.String(), nullable=True),
        sa.Column("totp_confirmed_at", UTC_TIME, nullable=True),
        sa.Column("totp_last_step", sa.Integer(), nullable=True),
        sa.Column("oidc_issuer", sa.String(), nullable=True),
        sa.Column("oidc_subject", sa.String(), nullable=True),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("disabled_at", UTC_TIME, nullable=True),
        sa.CheckConstraint("(role = 'INSPECTOR') = (inspector_id IS NOT NULL)", name=op.f("ck_account_inspector")),
        sa.CheckConstraint("(role = 'ENTERPRISE') = (enterprise_id IS NOT NULL)", name=op.f("ck_account_enterprise")),
        sa.CheckConstraint("(oidc_issuer IS NULL) = (oidc_subject IS NULL)", name=op.f("ck_account_oidc")),
        sa.ForeignKeyConstraint(["inspector_id"], ["inspector.id"], name="fk_account_inspector_id_inspector"),
        sa.ForeignKeyConstraint(["enterprise_id"], ["enterprise.id"], name="fk_account_enterprise_id_enterprise"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name", name="uq_account_name"),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject", name="uq_account_oidc_issuer_oidc_subject"),
    )
    op.create_index("ix_account_inspector_id", "account", ["inspector_id"])
    op.create_index("ix_account_enterprise_id", "account", ["enterprise_id"])
    op.create_table(
        "login",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("last_seen_at", UTC_TIME, nullable=False),
        sa.Column("expires_at", UTC_TIME, nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("agent", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_login_account_id_account"),
        sa.PrimaryKeyConstraint("id", name="pk_login"),
        sa.UniqueConstraint("secret_hash", name="uq_login_secret_hash"),
    )
    op.create_index("ix_login_account_id", "login", ["account_id"])
    op.create_index("ix_login_expires_at", "login", ["expires_at"])
    op.create_table(
        "account_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("kind", sa.Enum(*EVENT_KINDS, name="kind", native_enum=False, length=32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_account_event_account_id_account"),
        sa.PrimaryKeyConstraint("id", name="pk_account_event"),
    )
    op.create_index("ix_account_event_at", "account_event", ["at"])
    op.create_index("ix_account_event_account_id_kind_address", "account_event", ["account_id", "kind", "address"])
    op.create_table(
        "sign_in_delay",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("until", UTC_TIME, nullable=False),
        sa.Column("last_at", UTC_TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sign_in_delay"),
    )
    op.create_index("ix_sign_in_delay_last_at", "sign_in_delay", ["last_at"])


def downgrade() -> None:
    for table in ("sign_in_delay", "account_event", "login", "account"):
        op.drop_table(table)
