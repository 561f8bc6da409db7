"""Days are counted in the district's zone, and a server that began without a district learns it."""

import asyncio
import datetime as dt
from pathlib import Path

import httpx

from models.db.database import Database
from models.visibility import Role
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.register_runs import run_import
from tests.support.small_register import ENTERPRISES, PLACES, TOP, write_files
from tests.web.conftest import SECRET
from web.app import create
from web.auth.tokens import Claims, Tokens
from web.settings import Settings

# Already the 15th in Shanghai, still the 14th in Havana.
MOMENT = dt.datetime(2026, 6, 15, 3, 0, tzinfo=dt.UTC)
QUERY = "{ district { timeZone portrait { to } } }"


async def test_a_server_that_began_without_a_district_takes_the_zone_of_the_imported_one(
    databases: Databases, migrated_url: str, tmp_path: Path
) -> None:
    url = await databases.new(migrated_url)
    app = create(Settings(database_url=url, demo=True, secret=SECRET), lambda: MOMENT)
    claims = Claims(Role.COMMANDER, MOMENT + dt.timedelta(hours=1), subject="commander")
    headers = {"authorization": f"Bearer {Tokens(SECRET.get_secret_value()).make(claims)}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", headers=headers) as client,
    ):
        write_files(tmp_path, enterprises=PLACES)
        # As another process does it, which has nothing of this one but the database.
        database = Database(url)
        try:
            mapping = TOP + 'time_zone = "America/Havana"\n' + ENTERPRISES.replace('town = "town"\n', "")
            await run_import(database, mapping, tmp_path, now=lambda: MOMENT)
        finally:
            await database.close()

        async def learned() -> None:
            while True:
                answer = (await client.post("/graphql", json={"query": QUERY})).json()
                assert answer["data"]["district"]["timeZone"] == "America/Havana"
                if answer["data"]["district"]["portrait"]["to"] == "2026-06-14":
                    return
                await asyncio.sleep(0.1)

        await asyncio.wait_for(learned(), PATIENCE)
