"""Adds handovers of the duty, and lets the log tell of nouns that come later."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0029"
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")
SUBJECTS = re.compile(r"CONSTRAINT ck_event_subject CHECK \(subject IN \([^)]*\)\),?\s*")
SUBJECTS_BEFORE = (
    "'INSPECTION', 'HAZARD', 'CASE', 'DISPATCH', 'ASSISTANCE', 'DUTY_REPORT', 'MEASURE', 'WARNING', 'ENTERPRISE',"
    " 'INSPECTOR', 'TEAM', 'EXPERT', 'STOCK_ITEM', 'REGISTER'"
)


def upgrade() -> None:
    op.create_table(
        "handover",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("leaving", sa.String(), nullable=False),
        sa.Column("leaving_name", sa.String(), nullable=True),
        sa.Column("arriving", sa.String(), nullable=True),
        sa.Column("arriving_name", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("signed_at", UTC_TIME, nullable=False),
        sa.Column("taken_at", UTC_TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
    )
    for column in ("leaving", "arriving"):
        op.create_index(f"ix_handover_{column}_id", "handover", [column, "id"])
    is_open = sa.text("taken_at IS NULL")
    op.create_index(
        "ix_handover_open", "handover", ["leaving"], unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_event("")
    else:
        op.drop_constraint(op.f("ck_event_subject"), "event", type_="check")


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM event WHERE subject = 'HANDOVER'"))
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_event(f"CONSTRAINT ck_event_subject CHECK (subject IN ({SUBJECTS_BEFORE})), ")
    else:
        op.create_check_constraint(op.f("ck_event_subject"), "event", f"subject IN ({SUBJECTS_BEFORE})")
    op.drop_table("handover")


def _rebuild_event(constraint: str) -> None:
    """Copy SQLite's table of events into one with this constraint on subjects, or none. Ids used once stay used."""
    bind = op.get_bind()
    catalogue = sa.text("SELECT type, sql FROM sqlite_master WHERE tbl_name = 'event' AND sql IS NOT NULL")
    statements = [(kind, sql) for kind, sql in bind.execute(catalogue)]
    [table] = [sql for kind, sql in statements if kind == "table"]
    last = bind.execute(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'event'")).scalar()
    bare = SUBJECTS.sub("", table).replace("CREATE TABLE event", "CREATE TABLE event_copy", 1)
    bind.exec_driver_sql(
        bare.replace("CONSTRAINT ck_event_actor_role", f"{constraint}CONSTRAINT ck_event_actor_role", 1)
    )
    bind.exec_driver_sql("INSERT INTO event_copy SELECT * FROM event")
    bind.exec_driver_sql("DROP TABLE event")
    bind.exec_driver_sql("ALTER TABLE event_copy RENAME TO event")
    for kind, sql in statements:
        if kind == "index":
            bind.exec_driver_sql(sql)
    if last is not None:
        bind.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'event'"))
        bind.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('event', :last)"), {"last": last})
