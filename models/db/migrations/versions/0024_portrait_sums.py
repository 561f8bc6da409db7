"""Adds the sums of portraits.

`migrate` fills the sums from the rows afterwards (models/db/portrait_sums.py).
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0021"
branch_labels = None
depends_on = None

COLUMNS = [
    "hazards",
    "hazards_major",
    "hazards_by_inspection",
    "hazards_major_by_inspection",
    "hazards_rectified",
    "hazards_closed",
    "hazards_rectified_30",
    "hazards_closed_30",
    "accepted",
    "accepted_30",
    "closed",
    "closed_major",
    "closed_30",
    "due",
    "on_time",
    "unsettled",
    "overdue_began",
    "overdue_ended",
    "inspections",
    "inspections_filed",
    "inspections_penalised",
    "inspections_filed_30",
    "inspections_penalised_30",
    "filed_30",
    "penalised_30",
    "cases_filed",
    "inspected_last",
    "inspected_in_month",
    "inspected_anew",
    "inspected_lapsing",
    "grade_none",
    "grade_blue",
    "grade_yellow",
    "grade_orange",
    "grade_red",
]


def upgrade() -> None:
    op.create_table(
        "portrait_sum",
        sa.Column("scope", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("period", sa.SmallInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in COLUMNS),
        sa.PrimaryKeyConstraint("scope", "key", "period", "day", name=op.f("pk_portrait_sum")),
    )


def downgrade() -> None:
    op.drop_table("portrait_sum")
