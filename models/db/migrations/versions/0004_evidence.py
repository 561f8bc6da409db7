"""Adds uploads of evidence: whether it is stored and attached, and who uploaded it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")


def upgrade() -> None:
    op.add_column("evidence", sa.Column("stored_at", UTC_TIME, nullable=True))
    op.add_column("evidence", sa.Column("attached", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.create_table(
        "evidence_upload",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("evidence_id", sa.Integer(), nullable=False),
        sa.Column("uploader", sa.String(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name="fk_evidence_upload_evidence_id_evidence"),
        sa.PrimaryKeyConstraint("id", name="pk_evidence_upload"),
        sa.UniqueConstraint("evidence_id", "uploader", name="uq_evidence_upload_evidence_id_uploader"),
    )


def downgrade() -> None:
    op.drop_table("evidence_upload")
    op.drop_column("evidence", "attached")
    op.drop_column("evidence", "stored_at")
