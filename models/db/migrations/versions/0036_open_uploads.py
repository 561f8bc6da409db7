"""Adds uploads in pieces, and the hashes of files as clients sent them."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sent_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("evidence_id", sa.Integer(), nullable=False),
        sa.Column("uploader", sa.String(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=True),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["evidence.id"], name=op.f("fk_sent_file_evidence_id_evidence"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sent_file")),
    )
    for columns in (["evidence_id"], ["uploader", "sha256"], ["device", "sha256"]):
        op.create_index(f"ix_sent_file_{'_'.join(columns)}", "sent_file", columns)
    op.create_table(
        "open_upload",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("uploader", sa.String(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=True),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("described", sa.String(), nullable=False),
        sa.Column("expires_at", UTC_TIME, nullable=False),
        sa.Column("evidence_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("received BETWEEN 0 AND length AND length > 0", name=op.f("ck_open_upload_received")),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["evidence.id"], name=op.f("fk_open_upload_evidence_id_evidence"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_open_upload")),
        sa.UniqueConstraint("key", name=op.f("uq_open_upload_key")),
    )
    for column in ("uploader", "expires_at", "evidence_id"):
        op.create_index(f"ix_open_upload_{column}", "open_upload", [column])
    op.create_table(
        "upload_piece",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("upload_id", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=39), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["open_upload.id"], name=op.f("fk_upload_piece_upload_id_open_upload"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_piece")),
        sa.UniqueConstraint("upload_id", "start", name=op.f("uq_upload_piece_upload_id_start")),
        sa.UniqueConstraint("name", name=op.f("uq_upload_piece_name")),
    )


def downgrade() -> None:
    for table in ("upload_piece", "open_upload", "sent_file"):
        op.drop_table(table)
