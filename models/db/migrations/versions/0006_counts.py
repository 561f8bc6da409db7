"""Replaces indexes for the counts of portraits by covering ones."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NEW = {
    "ix_hazard_counted_open": ("hazard", ["status", "enterprise_id", "deadline", "level"]),
    "ix_hazard_counted_due": ("hazard", ["deadline", "enterprise_id", "status", "rectified_at"]),
    "ix_hazard_counted_found": ("hazard", ["found_at", "enterprise_id", "status", "level", "inspection_id"]),
    "ix_hazard_counted_closed": ("hazard", ["closed_at", "enterprise_id"]),
    "ix_hazard_counted_accepted": ("hazard", ["accepted_at", "enterprise_id", "status"]),
    "ix_inspection_counted": ("inspection", ["submitted_at", "enterprise_id", "status", "id"]),
}
OLD = {
    "ix_hazard_status": ("hazard", ["status", "enterprise_id"]),
    "ix_hazard_closed_at": ("hazard", ["closed_at"]),
    "ix_hazard_accepted_at": ("hazard", ["accepted_at"]),
}


def upgrade() -> None:
    for name, (table, columns) in NEW.items():
        op.create_index(name, table, columns)
    for name, (table, _) in OLD.items():
        op.drop_index(name, table)


def downgrade() -> None:
    for name, (table, columns) in OLD.items():
        op.create_index(name, table, columns)
    for name, (table, _) in NEW.items():
        op.drop_index(name, table)
