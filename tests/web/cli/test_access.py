"""The command `access`, on what a server has noted."""

import csv
import datetime as dt
import io
import json

import httpx
import sqlalchemy as sa

from models import Enterprise, Role
from models.access import Access, AccessKind
from models.db.database import Database
from models.db.tables import table_of
from tests.conftest import NOW, Databases
from tests.support.server_process import web
from tests.support.tokens import issue_at
from tests.web.conftest import SECRET, talking
from web.settings import Settings

# The day of NOW in the district.
TODAY, YESTERDAY, TOMORROW = ((NOW + dt.timedelta(hours=8, days=days)).date().isoformat() for days in (0, -1, 1))
FILE = "query File { enterprises(first: 1) { nodes { creditCode legalRepresentative { phone } } } }"
LIST = "query List { enterprises(first: 1) { nodes { name } } }"


async def ask(server: httpx.AsyncClient, token: str, query: str) -> dict[str, object]:
    headers = {"authorization": f"Bearer {token}"}
    node: dict[str, object] = (await server.post("/graphql", json={"query": query}, headers=headers)).json()["data"][
        "enterprises"
    ]["nodes"][0]
    return node


async def insert_old(url: str, days: int) -> None:
    """An access of so many days ago."""
    database = Database(url)
    async with database.write() as session:
        first = (await session.execute(sa.select(sa.func.min(table_of(Enterprise).c.id)))).scalar_one()
        row = {"at": NOW - dt.timedelta(days=days), "identity": f"program:{days}", "role": Role.INTEGRATOR}
        row |= {"enterprise_id": first, "what": AccessKind.CONTACTS, "operation": None, "count": 1}
        await session.execute(sa.insert(table_of(Access)), [row])
    await database.close()


async def test_what_was_read_is_exported_and_what_is_old_is_gone(databases: Databases, demo_url: str) -> None:
    url = await databases.new(demo_url)
    token = await issue_at(url, name="duty", role=Role.COMMANDER)
    for days in (31, 29):
        await insert_old(url, days)
    settings = Settings(database_url=url, secret=SECRET, access_days=30)
    async with talking(settings) as server:
        node = await ask(server, token, FILE)
        assert node == await ask(server, token, FILE)
        await ask(server, token, LIST)

    exported = web("access", "export", url=url)
    assert (exported.returncode, exported.stderr) == (0, "2 accesses.\n")
    kept, read = csv.DictReader(io.StringIO(exported.stdout))
    assert kept["identity"] == "program:29"
    assert (read["enterprise"], read["what"], read["operation"]) == (node["creditCode"], "CONTACTS", "File")
    assert (read["role"], read["count"], read["at"]) == ("COMMANDER", "2", NOW.isoformat())
    # The log names the fields that were read, and never their values.
    officer = node["legalRepresentative"]
    assert isinstance(officer, dict)
    assert officer["phone"] not in exported.stdout

    lines = web("access", "export", "--format", "jsonl", "--from", TODAY, "--to", TODAY, url=url)
    assert [json.loads(line)["operation"] for line in lines.stdout.splitlines()] == ["File"]
    assert web("access", "export", "--to", YESTERDAY, url=url).stderr == "1 accesses.\n"
    assert web("access", "export", "--from", TOMORROW, url=url).stderr == "0 accesses.\n"
    wrong = web("access", "export", "--from", "yesterday", url=url)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "yesterday is not a day such as 2026-06-01.\n"
