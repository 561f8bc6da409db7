"""Adds what an enterprise may see of inspections and events before the inspectors arrive."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BEFORE_ARRIVAL = (
    "INSPECTION_PLANNED",
    "INSPECTION_DISPATCHED",
    "INSPECTION_ACKNOWLEDGED",
    "INSPECTION_DEPARTED",
    "INSPECTION_CANCELLED",
)
NOT_FILED = ("CASE_PROPOSED", "CASE_DECLINED")


def upgrade() -> None:
    for table, column in (("inspection", "announced"), ("event", "internal")):
        op.add_column(table, sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.false()))
    inspection = sa.table("inspection", *map(sa.column, ("id", "kind", "dispatched_at", "announced")))
    event = sa.table("event", *map(sa.column, ("kind", "subject_id", "internal")))
    # Text, because the types of PostgreSQL's enums have names of their own.
    kind = sa.cast(inspection.c.kind, sa.Text)
    asked = sa.and_(kind == "ASSISTANCE", inspection.c.dispatched_at.is_not(None))
    op.execute(sa.update(inspection).where(asked).values(announced=sa.true()))
    announced = sa.select(inspection.c.id).where(inspection.c.announced.is_(sa.true()))
    happened = sa.cast(event.c.kind, sa.Text)
    hidden = sa.or_(
        happened.in_(NOT_FILED), sa.and_(happened.in_(BEFORE_ARRIVAL), event.c.subject_id.not_in(announced))
    )
    op.execute(sa.update(event).where(hidden).values(internal=sa.true()))


def downgrade() -> None:
    for table, column in (("inspection", "announced"), ("event", "internal")):
        op.drop_column(table, column)
