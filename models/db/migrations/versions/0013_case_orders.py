"""Adds the indexes of the orders of cases."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0010"
branch_labels = None
depends_on = None

EARLIEST = "'0001-01-01T00:00:00.000000+00:00'"
ORDERS = {
    "filed": f"coalesce(filed_at, {EARLIEST})",
    "decided": f"coalesce(decided_at, {EARLIEST})",
    "fine": "coalesce(fine_yuan, -1)",
}


def upgrade() -> None:
    for order, key in ORDERS.items():
        op.create_index(f"ix_case_by_{order}", "case_filing", [sa.text(key), "id"])
        op.create_index(f"ix_case_enterprise_by_{order}", "case_filing", ["enterprise_id", sa.text(key), "id"])


def downgrade() -> None:
    for order in ORDERS:
        op.drop_index(f"ix_case_enterprise_by_{order}", "case_filing")
        op.drop_index(f"ix_case_by_{order}", "case_filing")
