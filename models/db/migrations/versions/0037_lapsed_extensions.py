"""Lets a request for a later deadline lapse with its hazard, and ends those of hazards that have ended before."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

BEFORE = ("REQUESTED", "APPROVED", "REFUSED")
OLD = "id, hazard_id, from_deadline, to_deadline, reason, status, requested_at, decided_at"
UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")
LAPSE = """UPDATE deadline_extension SET status = 'LAPSED' WHERE status = 'REQUESTED'
    AND hazard_id IN (SELECT id FROM hazard WHERE status IN ('ACCEPTED', 'CLOSED', 'DISMISSED'))"""


def upgrade() -> None:
    _allow(*BEFORE, "LAPSED")
    op.execute(sa.text(LAPSE))


def downgrade() -> None:
    op.execute(sa.text("UPDATE deadline_extension SET status = 'REQUESTED' WHERE status = 'LAPSED'"))
    _allow(*BEFORE)


def _allow(*statuses: str) -> None:
    """Allow these statuses alone. SQLite cannot change a constraint, so the table is copied."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_deadline_extension_status"), "deadline_extension", type_="check")
        names = ", ".join(f"'{status}'" for status in statuses)
        op.create_check_constraint(op.f("ck_deadline_extension_status"), "deadline_extension", f"status IN ({names})")
        return
    op.create_table(
        "extension_copy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hazard_id", sa.Integer(), nullable=False),
        sa.Column("from_deadline", UTC_TIME, nullable=False),
        sa.Column("to_deadline", UTC_TIME, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                *statuses,
                name=op.f("ck_deadline_extension_status"),
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("requested_at", UTC_TIME, nullable=False),
        sa.Column("decided_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(["hazard_id"], ["hazard.id"], name=op.f("fk_deadline_extension_hazard_id_hazard")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadline_extension")),
    )
    op.execute(sa.text(f"INSERT INTO extension_copy SELECT {OLD} FROM deadline_extension"))
    op.drop_table("deadline_extension")
    op.rename_table("extension_copy", "deadline_extension")
    op.create_index("ix_deadline_extension_hazard_id_id", "deadline_extension", ["hazard_id", "id"])
