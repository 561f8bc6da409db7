"""Migration 0009: what enterprises may see of a history from before it."""

import sqlalchemy as sa

from models.db.database import Database
from models.db.migrate import migrate
from tests.conftest import Databases

TIME = "2026-06-15T04:00:00+00:00"
ENTERPRISE = f"""
    INSERT INTO enterprise (id, name, hazardous_chemicals, updated_at) VALUES (1, 'A', false, '{TIME}')"""
# Kind, status, and whether it was dispatched.
INSPECTIONS = {
    1: ("ROUTINE", "PLANNED", False),
    2: ("ROUTINE", "CLOSED", True),
    3: ("ASSISTANCE", "PLANNED", False),
    4: ("ASSISTANCE", "EN_ROUTE", True),
    5: ("COMPLAINT", "CANCELLED", True),
}
# The subject's key, and whether the enterprise may not see the event.
EVENTS = [
    ("INSPECTION", "INSPECTION_PLANNED", 1, True),
    ("INSPECTION", "INSPECTION_PLANNED", 2, True),
    ("INSPECTION", "INSPECTION_DISPATCHED", 2, True),
    ("INSPECTION", "INSPECTION_ACKNOWLEDGED", 2, True),
    ("INSPECTION", "INSPECTION_DEPARTED", 2, True),
    ("INSPECTION", "INSPECTION_ARRIVED", 2, False),
    ("INSPECTION", "INSPECTION_CLOSED", 2, False),
    ("INSPECTION", "INSPECTION_PLANNED", 3, True),
    # Whoever asked for help sees it from the dispatch on; it was dispatched by the time of the migration.
    ("INSPECTION", "INSPECTION_PLANNED", 4, False),
    ("INSPECTION", "INSPECTION_DISPATCHED", 4, False),
    ("INSPECTION", "INSPECTION_DEPARTED", 4, False),
    ("INSPECTION", "INSPECTION_CANCELLED", 5, True),
    ("CASE", "CASE_PROPOSED", 1, True),
    ("CASE", "CASE_DECLINED", 1, True),
    ("CASE", "CASE_FILED", 1, False),
    # The key of an inspection that was announced, of another subject.
    ("CASE", "CASE_PROPOSED", 4, True),
    ("HAZARD", "HAZARD_REPORTED", 1, False),
]


def inspection(key: int, kind: str, status: str, dispatched: bool) -> str:
    at = f"'{TIME}'" if dispatched else "NULL"
    columns = "id, enterprise_id, kind, status, dispatched_at"
    return f"INSERT INTO inspection ({columns}) VALUES ({key}, 1, '{kind}', '{status}', {at})"


def event(key: int, subject: str, kind: str, of: int) -> str:
    columns = "id, at, kind, subject, subject_id, changes, zones, rings, venues, major"
    values = f"{key}, '{TIME}', '{kind}', '{subject}', {of}, '[]', '', '', '', false"
    return f"INSERT INTO event ({columns}) VALUES ({values})"


async def test_a_history_from_before_hides_what_was_not_announced(databases: Databases) -> None:
    database = Database(await databases.new())
    await migrate(database, "0008")
    statements = [ENTERPRISE, *(inspection(key, *values) for key, values in INSPECTIONS.items())]
    statements += [event(key, subject, kind, of) for key, (subject, kind, of, _) in enumerate(EVENTS, 1)]
    async with database.write() as session:
        for statement in statements:
            await session.execute(sa.text(statement))
    await migrate(database, "0009")
    async with database.read() as connection:
        announced = (await connection.execute(sa.text("SELECT id FROM inspection WHERE announced"))).scalars().all()
        hidden = (await connection.execute(sa.text("SELECT internal FROM event ORDER BY id"))).scalars().all()
    await database.close()
    assert announced == [4]
    expected = [internal for *_, internal in EVENTS]
    assert [EVENTS[i] for i, value in enumerate(hidden) if bool(value) != expected[i]] == []
