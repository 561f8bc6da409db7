"""Adds indexes for portraits on the times when rows were closed, accepted or filed."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_hazard_closed_at": ("hazard", "closed_at"),
    "ix_hazard_accepted_at": ("hazard", "accepted_at"),
    "ix_case_filing_filed_at": ("case_filing", "filed_at"),
}


def upgrade() -> None:
    for name, (table, column) in INDEXES.items():
        op.create_index(name, table, [column])


def downgrade() -> None:
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table)
