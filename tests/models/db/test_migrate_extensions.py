"""Migration 0037: requests for a later deadline of hazards that had ended before."""

import sqlalchemy as sa

from models.db.database import Database
from models.db.migrate import migrate
from tests.conftest import Databases

TIME = "2026-06-15T04:00:00+00:00"
STATUSES = ("RECTIFYING", "ACCEPTED", "CLOSED", "DISMISSED")
REQUESTS = [("REQUESTED", status) for status in STATUSES] + [("APPROVED", "CLOSED"), ("REFUSED", "ACCEPTED")]


def statements() -> list[str]:
    enterprise = f"INSERT INTO enterprise (id, name, hazardous_chemicals, updated_at) VALUES (1, 'A', false, '{TIME}')"
    times = {status: f"'{TIME}'" if status == "CLOSED" else "NULL" for status in STATUSES}
    hazards = [
        "INSERT INTO hazard (id, enterprise_id, level, status, description, found_at, closed_at)"
        f" VALUES ({key}, 1, 1, '{status}', 'a', '{TIME}', {times[status]})"
        for key, status in enumerate(STATUSES, 1)
    ]
    columns = "id, hazard_id, from_deadline, to_deadline, reason, status, requested_at"
    requests = [
        f"INSERT INTO deadline_extension ({columns})"
        f" VALUES ({key}, {STATUSES.index(hazard) + 1}, '{TIME}', '{TIME}', 'b', '{status}', '{TIME}')"
        for key, (status, hazard) in enumerate(REQUESTS, 1)
    ]
    return [enterprise, *hazards, *requests]


async def extension_statuses(database: Database) -> list[str]:
    async with database.read() as connection:
        rows = await connection.execute(sa.text("SELECT status FROM deadline_extension ORDER BY id"))
        return [row.status for row in rows]


async def test_what_waited_for_nobody_has_lapsed(databases: Databases) -> None:
    database = Database(await databases.new())
    await migrate(database, "0036")
    async with database.write() as session:
        for statement in statements():
            await session.execute(sa.text(statement))
    await migrate(database, "0037")
    assert await extension_statuses(database) == ["REQUESTED", "LAPSED", "LAPSED", "LAPSED", "APPROVED", "REFUSED"]
    await database.close()
