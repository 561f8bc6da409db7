"""Files of the register over HTTP: a mapping is suggested, an import previewed and done, a table made a workbook."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import openpyxl
import orjson
import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role
from tests.conftest import Databases
from tests.support.actors import small_world
from tests.support.register_runs import all_rows
from tests.support.tokens import issue_at
from tests.web.conftest import SECRET, talking
from web.register import process
from web.settings import Settings

LIMIT = 20_000
ENTERPRISES = "编号,企业名称,风险等级,电话\nE1,甲化工厂,重大,13800000001\nE2,乙仓储,特高,13800000002\n,丙食品厂,一般,\n"
MAPPING = """
[district]
name = "{district}"
[enterprises]
file = "企业.csv"
[enterprises.fields]
external_id = "编号"
name = "企业名称"
risk_grade = {{ column = "风险等级", values = {{ "重大" = "RED", "一般" = "YELLOW" }} }}
legal_phone = "电话"
"""


@dataclass
class Office:
    """A server and its database, and a commander's headers."""

    client: httpx.AsyncClient
    url: str
    mapping: str
    commander: dict[str, str]

    async def post(
        self, path: str, head: dict[str, Any], *contents: bytes, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """As the commander, or with other headers."""
        names = {"content-type": "application/octet-stream", **(self.commander if headers is None else headers)}
        body = orjson.dumps(head) + b"\n" + b"".join(contents)
        return await self.client.post(f"/register/{path}", content=body, headers=names)

    async def import_(self, text: str = ENTERPRISES, *, write: bool = False, **more: Any) -> list[dict[str, Any]]:
        content = text.encode()
        head = {"mapping": self.mapping, "write": write, "files": [{"name": "企业.csv", "bytes": len(content)}], **more}
        response = await self.post("import", head, content)
        assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
        return [line for line in map(orjson.loads, response.text.splitlines()) if line]

    async def rows(self) -> dict[str, list[Any]]:
        database = Database(self.url)
        try:
            return await all_rows(database)
        finally:
            await database.close()


@pytest_asyncio.fixture
async def office(databases: Databases, migrated_url: str) -> AsyncIterator[Office]:
    url = await databases.new(migrated_url)
    database = Database(url)
    await small_world(database)
    async with database.read() as connection:
        district = await connection.scalar(sa.select(table_of(models.District).c.name))
    await database.close()
    token = await issue_at(url, role=Role.COMMANDER, name="值班长")
    async with talking(Settings(database_url=url, secret=SECRET, import_limit=LIMIT)) as client:
        yield Office(client, url, MAPPING.format(district=district), {"authorization": f"Bearer {token}"})


def codes(response: httpx.Response) -> tuple[int, str, str]:
    extensions = response.json()["errors"][0]["extensions"]
    return response.status_code, extensions["code"], extensions["reason"]


async def test_a_preview_writes_nothing_and_tells_what_the_import_then_does(office: Office) -> None:
    before = await office.rows()
    *progress, last = await office.import_()
    outcome = last["outcome"]
    assert progress[-1]["progress"] == {"table": "enterprises", "done": 3, "total": 3, "secondsLeft": 0}
    [table] = outcome["tables"]
    assert table == {
        "table": "enterprises",
        "read": 3,
        "new": 1,
        "changed": 0,
        "unchanged": 0,
        "bad": 2,
        "warnings": 0,
        "skipped": 0,
    }
    assert (outcome["written"], outcome["issues"]) == (False, 2)
    listed = {(each["line"], each["column"], each["value"], each["severity"]) for each in outcome["listed"]}
    assert (3, "风险等级", "特高", "ERROR") in listed
    assert {line for line, *_ in listed} == {3, 4}
    assert await office.rows() == before

    [table] = (await office.import_(write=True))[-1]["outcome"]["tables"]
    assert (table["new"], table["bad"]) == (1, 2)
    after = await office.rows()
    assert len(after["enterprise"]) == len(before["enterprise"]) + 1
    [event] = [row for row in after["event"] if row not in before["event"]]
    assert (event.kind.name, event.rows, event.actor) == ("REGISTER_IMPORTED", 1, "person:值班长")
    assert (event.actor_role, event.actor_name) == (Role.COMMANDER, "值班长")
    [table] = (await office.import_())[-1]["outcome"]["tables"]
    assert (table["new"], table["unchanged"]) == (0, 1)


@pytest.mark.database_independent
async def test_reasons_are_in_the_language_of_the_request(office: Office) -> None:
    office.commander["accept-language"] = "zh-CN"
    listed = (await office.import_())[-1]["outcome"]["listed"]
    assert "不在映射" in next(each["reason"] for each in listed if each["line"] == 3)
    [error] = (await office.import_(mapping="[x"))[-1]["errors"]
    assert error["message"].startswith("第 1 行")
    assert error["extensions"]["line"] == 1


async def test_a_mapping_is_suggested_and_runs_as_it_is(office: Office) -> None:
    content = "编号,企业名称,风险等级\nE1,甲化工厂,重大\n".encode()
    response = await office.post("suggestion", {"files": [{"name": "企业.csv", "bytes": len(content)}]}, content)
    mapping = response.json()["mapping"]
    assert 'file = "企业.csv"' in mapping
    [table] = (await office.import_(content.decode(), mapping=mapping))[-1]["outcome"]["tables"]
    assert (table["new"], table["bad"]) == (1, 0)
    response = await office.post("suggestion", {"files": [{"name": "x.csv", "bytes": 4}]}, b"a\nb\n")
    assert codes(response) == (400, "BAD_INPUT", "TABLE_UNKNOWN")


@pytest.mark.database_independent
async def test_a_mapping_cannot_name_files_of_the_server(office: Office) -> None:
    for name, expected in (
        ("/etc/passwd.csv", "PATH_OUTSIDE"),
        ("../企业.csv", "PATH_OUTSIDE"),
        ("other.csv", "FILE_NOT_SENT"),
    ):
        mapping = office.mapping.replace("企业.csv", name)
        [error] = (await office.import_(mapping=mapping))[-1]["errors"]
        assert error["extensions"]["reason"] == expected, name
    mapping = office.mapping.replace("[enterprises]", 'boundary = "district.geojson"\n[enterprises]')
    [error] = (await office.import_(mapping=mapping))[-1]["errors"]
    assert error["extensions"]["reason"] == "FILE_NOT_SENT"


@pytest.mark.database_independent
async def test_a_table_becomes_a_workbook(office: Office) -> None:
    rows = b'["=1+1", "2026-06-15T12:00"]\n["b", null]\n'
    head = {
        "title": "企业",
        "columns": [{"name": "名称"}, {"name": "时间", "times": True}],
        "files": [{"name": "rows", "bytes": len(rows)}],
    }
    response = await office.post("workbook", head, rows)
    assert response.status_code == 200
    sheet = openpyxl.load_workbook(io.BytesIO(response.content)).active
    assert sheet is not None
    assert [cell.value for cell in sheet["A"]] == ["名称", "=1+1", "b"]
    response = await office.post("workbook", {**head, "files": [{"name": "rows", "bytes": 2}]}, b"[]")
    assert codes(response) == (400, "BAD_INPUT", "TABLE_ROW_WRONG")


@pytest.mark.database_independent
@pytest.mark.database_independent
async def test_only_commanders_may(office: Office) -> None:
    head = {"files": [{"name": "a.csv", "bytes": 1}]}
    for role in (Role.WALL, Role.INTEGRATOR):
        scopes = frozenset(models.Scope) if role is Role.INTEGRATOR else frozenset()
        token = await issue_at(office.url, role=role, name=role.name, scopes=scopes)
        for path in ("suggestion", "import", "workbook"):
            response = await office.post(path, head, b"x", headers={"authorization": f"Bearer {token}"})
            assert codes(response)[:2] == (403, "FORBIDDEN")
            response = await office.post(path, head, b"x", headers={})
            assert codes(response)[:2] == (401, "UNAUTHENTICATED")


FILE = {"name": "a.csv", "bytes": 3}
WRONG: dict[str, tuple[bytes, tuple[int, str, str]]] = {
    "no line": (b"abc", (400, "BAD_REQUEST", "HEAD_MISSING")),
    "a long line": (b"[" * 300_000 + b"\n", (400, "BAD_REQUEST", "HEAD_MISSING")),
    "no JSON": (b"abc\nabc", (400, "BAD_INPUT", "HEAD_WRONG")),
    "no files": (orjson.dumps({"files": []}) + b"\n", (400, "BAD_INPUT", "HEAD_WRONG")),
    "a path": (orjson.dumps({"files": [{**FILE, "name": "../a.csv"}]}) + b"\nabc", (400, "BAD_INPUT", "HEAD_WRONG")),
    "hidden": (orjson.dumps({"files": [{**FILE, "name": ".a.csv"}]}) + b"\nabc", (400, "BAD_INPUT", "HEAD_WRONG")),
    "twice": (orjson.dumps({"files": [FILE, FILE]}) + b"\nabcabc", (400, "BAD_INPUT", "FILE_TWICE")),
    "cut off": (orjson.dumps({"files": [FILE]}) + b"\nab", (400, "BAD_REQUEST", "UPLOAD_CUT")),
    "longer": (orjson.dumps({"files": [FILE]}) + b"\nabcd", (400, "BAD_REQUEST", "FILES_LONGER")),
    "too large": (
        orjson.dumps({"files": [{**FILE, "bytes": LIMIT + 1}]}) + b"\nabc",
        (413, "TOO_LARGE", "FILES_SIZE"),
    ),
}


@pytest.mark.database_independent
@pytest.mark.database_independent
async def test_bad_bodies_are_refused(office: Office) -> None:
    names = {"content-type": "application/octet-stream", **office.commander}
    for what, (body, expected) in WRONG.items():
        response = await office.client.post("/register/suggestion", content=body, headers=names)
        assert codes(response) == expected, what
    names["content-type"] = "text/plain"
    response = await office.client.post("/register/suggestion", content=b"{}\n", headers=names)
    assert codes(response) == (415, "UNSUPPORTED_TYPE", "CONTENT_TYPE_DEMANDED")


@pytest.mark.database_independent
@pytest.mark.database_independent
async def test_a_job_that_fails_is_masked_and_one_too_many_is_told_to_wait(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "COMMAND", ("/bin/sh", "-c", 'cat > /dev/null; echo \'{"failed":"X","where":[]}\''))
    [line] = await office.import_()
    assert line["errors"][0]["extensions"]["code"] == "INTERNAL"
    monkeypatch.setattr(process, "COMMAND", ("/bin/sh", "-c", "exit 3"))
    response = await office.post("suggestion", {"files": [FILE]}, b"abc")
    assert codes(response)[:2] == (500, "INTERNAL")
    monkeypatch.setattr(process, "JOBS_MAXIMUM", 0)
    response = await office.post("suggestion", {"files": [FILE]}, b"abc")
    assert codes(response) == (503, "BUSY", "JOBS_BUSY")
    assert response.headers["retry-after"] == str(process.BUSY_SECONDS)


@pytest.mark.database_independent
@pytest.mark.database_independent
async def test_a_process_that_is_slow_to_end_has_its_result(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "QUIET_SECONDS", 0.01)
    slow = 'cat > /dev/null; echo \'{"mapping":"m"}\'; sleep 0.5'
    monkeypatch.setattr(process, "COMMAND", ("/bin/sh", "-c", slow))
    response = await office.post("suggestion", {"files": [FILE]}, b"abc")
    assert (response.status_code, response.json()) == (200, {"mapping": "m"})
