"""Adds the event log, the outcomes of mutations with a client's id, and rainfall readings."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")


def upgrade() -> None:
    op.create_table(
        "client_mutation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("viewer", sa.String(), nullable=False),
        sa.Column("client_mutation_id", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_client_mutation"),
        sa.UniqueConstraint("viewer", "client_mutation_id", name="uq_client_mutation_viewer_client_mutation_id"),
    )
    op.create_index("ix_client_mutation_at", "client_mutation", ["at"])
    op.create_table(
        "event_log",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_event_log_one")),
        sa.PrimaryKeyConstraint("id", name="pk_event_log"),
    )
    op.create_table(
        "rainfall_reading",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("zone_id", sa.Integer(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("millimetres", sa.Float(), nullable=False),
        sa.CheckConstraint("millimetres >= 0", name=op.f("ck_rainfall_reading_millimetres")),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_rainfall_reading_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_rainfall_reading"),
        sa.UniqueConstraint("zone_id", "at", name="uq_rainfall_reading_zone_id_at"),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column(
            "kind",
            sa.String(length=32),
            nullable=False,
        ),
        sa.Column(
            "subject",
            sa.Enum(
                "INSPECTION",
                "HAZARD",
                "CASE",
                "DISPATCH",
                "ASSISTANCE",
                "DUTY_REPORT",
                "MEASURE",
                "WARNING",
                "ENTERPRISE",
                "INSPECTOR",
                "TEAM",
                "EXPERT",
                "STOCK_ITEM",
                "REGISTER",
                name="subject",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("subject_id", sa.Integer(), nullable=True),
        sa.Column(
            "actor_role",
            sa.Enum(
                "COMMANDER",
                "INSPECTOR",
                "ENTERPRISE",
                "WALL",
                "INTEGRATOR",
                name="actor_role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("actor_name", sa.String(), nullable=True),
        sa.Column("from_status", sa.String(), nullable=True),
        sa.Column("to_status", sa.String(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=True),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.Column("zones", sa.String(), nullable=False),
        sa.Column("rings", sa.String(), nullable=False),
        sa.Column("venues", sa.String(), nullable=False),
        sa.Column("risk", sa.SmallInteger(), nullable=True),
        sa.Column("major", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["enterprise_id"], ["enterprise.id"], name="fk_event_enterprise_id_enterprise"),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_event_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_enterprise", "event", ["enterprise_id", "id"])
    op.create_index("ix_event_kind", "event", ["kind", "id"])
    op.create_index("ix_event_subject", "event", ["subject", "subject_id", "id"])
    log = sa.table("event_log", sa.column("id", sa.Integer), sa.column("epoch", sa.String))
    op.execute(sa.insert(log).values(id=1, epoch=secrets.token_hex(8)))


def downgrade() -> None:
    op.drop_table("event")
    op.drop_table("rainfall_reading")
    op.drop_table("event_log")
    op.drop_table("client_mutation")
