"""The endpoints and commands of tokens and of the pairing of screens."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

import models
from models.db.database import Database
from models.visibility import Role, Scope
from tests.conftest import NOW, Databases
from tests.support.actors import contents, small_world
from tests.support.server_process import web
from tests.support.tokens import TOKENS, issue_at
from tests.web.conftest import SECRET, talking
from web.settings import Settings

WHO = {"query": "{ viewer { role name scopes } }"}


@dataclass
class Office:
    """A server outside demo mode, and a commander's headers."""

    client: httpx.AsyncClient
    url: str
    commander: dict[str, str]

    async def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
        """As the commander, or with another token; an empty one is none."""
        headers = self.commander if token is None else {"authorization": f"Bearer {token}"} if token else {}
        return await self.client.request(method, path, json=body, headers=headers)

    async def viewer(self, token: str) -> Any:
        answer = (await self.client.post("/graphql", json=WHO, headers={"authorization": f"Bearer {token}"})).json()
        return answer["data"]["viewer"] if "data" in answer else answer["errors"][0]["extensions"]["code"]


@pytest_asyncio.fixture
async def office(databases: Databases, migrated_url: str) -> AsyncIterator[Office]:
    url = await databases.new(migrated_url)
    database = Database(url)
    await small_world(database)
    await database.close()
    token = await issue_at(url, role=Role.COMMANDER, name="值班长")
    async with talking(Settings(database_url=url, secret=SECRET)) as client:
        yield Office(client, url, {"authorization": f"Bearer {token}"})


def code_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json()["errors"][0]["extensions"]["code"]


async def test_a_commander_issues_lists_and_revokes(office: Office) -> None:
    wanted = {"role": "INTEGRATOR", "name": "gauge", "scopes": ["readings", "read"], "ttl": "30d"}
    issued = await office.ask("POST", "/auth/tokens", wanted)
    assert (issued.status_code, issued.headers["cache-control"]) == (201, "no-store")
    row = issued.json()
    token = row.pop("token")
    assert row == {
        "id": 2,
        "kind": "PROGRAM",
        "name": "gauge",
        "role": "INTEGRATOR",
        "scopes": ["read", "readings"],
        **dict.fromkeys(("account", "inspector", "enterprise", "lastUsedAt", "revokedBy", "revokedAt")),
        "issuedBy": "person:值班长",
        "issuedAt": NOW.isoformat(),
        "expiresAt": (NOW + dt.timedelta(days=30)).isoformat(),
    }
    assert await office.viewer(token) == {"role": "INTEGRATOR", "name": "gauge", "scopes": ["read", "readings"]}
    listed = (await office.ask("GET", "/auth/tokens")).json()["tokens"]
    assert [each["name"] for each in listed] == ["gauge", "值班长"]
    assert listed[0] == row
    assert token not in str(listed)

    assert (await office.ask("DELETE", "/auth/tokens/2")).status_code == 204
    assert code_of(await office.ask("DELETE", "/auth/tokens/2")) == (404, "NOT_FOUND")
    assert [each["id"] for each in (await office.ask("GET", "/auth/tokens")).json()["tokens"]] == [1]
    ended = (await office.ask("GET", "/auth/tokens?ended=true")).json()["tokens"]
    assert [(each["id"], each["revokedBy"]) for each in ended] == [(2, "person:值班长"), (1, None)]


async def test_only_commanders_manage_tokens_and_screens(office: Office) -> None:
    others = [
        await issue_at(office.url, role=Role.INSPECTOR, inspector="b0"),
        await issue_at(office.url, role=Role.ENTERPRISE, enterprise="e0"),
        await issue_at(office.url, role=Role.WALL, name="wall"),
        await issue_at(office.url, role=Role.INTEGRATOR, name="program", scopes=frozenset(Scope)),
    ]
    body = {"role": "COMMANDER", "name": "x"}
    for method, path, sent in (
        ("GET", "/auth/tokens", None),
        ("POST", "/auth/tokens", body),
        ("DELETE", "/auth/tokens/1", None),
        ("GET", "/auth/pairings", None),
        ("POST", "/auth/pairings/WDJB-MJHT", {"name": "x"}),
        ("DELETE", "/auth/pairings/WDJB-MJHT", None),
    ):
        assert code_of(await office.ask(method, path, sent, "")) == (401, "UNAUTHENTICATED")
        assert code_of(await office.ask(method, path, sent, "garbage")) == (401, "UNAUTHENTICATED")
        for token in others:
            assert code_of(await office.ask(method, path, sent, token)) == (403, "FORBIDDEN")
    database = Database(office.url)
    assert len((await contents(database, models.Token))["token"]) == 1 + len(others)
    await database.close()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "BAD_INPUT")),
        ([], (400, "BAD_INPUT")),
        ({"role": "ADMIN", "name": "x"}, (400, "BAD_INPUT")),
        ({"role": "wall", "name": "x"}, (400, "BAD_INPUT")),
        ({"role": "WALL"}, (400, "BAD_INPUT")),
        ({"role": "WALL", "name": "x", "ttl": "367d"}, (400, "BAD_INPUT")),
        ({"role": "WALL", "name": "x", "ttl": "9" * 200}, (400, "BAD_INPUT")),
        ({"role": "WALL", "name": "x", "scopes": ["read"]}, (400, "BAD_INPUT")),
        ({"role": "INTEGRATOR", "name": "x", "scopes": ["all"]}, (400, "BAD_INPUT")),
        ({"role": "INTEGRATOR", "name": "x", "scopes": "read"}, (400, "BAD_INPUT")),
        ({"role": "INTEGRATOR", "name": "a\0b"}, (400, "BAD_INPUT")),
        ({"role": "INSPECTOR", "inspector": "nobody"}, (400, "BAD_INPUT")),
        ({"account": "nobody"}, (400, "BAD_INPUT")),
        ({"role": "WALL", "name": "x", "admin": True}, (400, "BAD_INPUT")),
        ({"role": "COMMANDER", "name": "值班长"}, (409, "NAME_TAKEN")),
    ],
    ids=str,
)
async def test_a_token_that_nobody_could_hold_is_refused(office: Office, body: Any, expected: tuple[int, str]) -> None:
    assert code_of(await office.ask("POST", "/auth/tokens", body)) == expected


@pytest.mark.parametrize("key", ["0", "999", "2147483648", "9" * 5_000])
async def test_no_such_token(office: Office, key: str) -> None:
    assert code_of(await office.ask("DELETE", f"/auth/tokens/{key}")) == (404, "NOT_FOUND")


# -- screens --


async def test_a_screen_is_paired(office: Office) -> None:
    started = await office.client.post("/auth/pairings")
    assert (started.status_code, started.headers["cache-control"]) == (201, "no-store")
    pairing = started.json()
    code, asking = pairing["userCode"], {"deviceCode": pairing["deviceCode"]}
    assert (pairing["expiresIn"], pairing["interval"]) == (600, 5)
    assert pairing["address"] == f"http://localhost/signin/pair/?code={code}"
    pending = await office.client.post("/auth/pairings/token", json=asking)
    assert code_of(pending) == (400, "AUTHORIZATION_PENDING")
    slow = await office.client.post("/auth/pairings/token", json=asking)
    assert (code_of(slow), slow.headers["retry-after"]) == ((400, "SLOW_DOWN"), "10")
    [waiting] = (await office.ask("GET", "/auth/pairings")).json()["pairings"]
    assert (waiting["userCode"], waiting["createdAt"]) == (code, NOW.isoformat())
    confirmed = (await office.ask("POST", f"/auth/pairings/{code.lower()}", {"name": "大厅"})).json()
    assert (await office.ask("GET", "/auth/pairings")).json() == {"pairings": []}
    answer = (await office.client.post("/auth/pairings/token", json=asking)).json()
    until = (NOW + dt.timedelta(days=366)).isoformat()
    assert {**answer, "token": ""} == {"token": "", "name": "大厅", "expiresAt": until}
    assert await office.viewer(answer["token"]) == {"role": "WALL", "name": "大厅", "scopes": []}
    [listed] = [t for t in (await office.ask("GET", "/auth/tokens")).json()["tokens"] if t["kind"] == "SCREEN"]
    assert (listed["id"], listed["name"], listed["issuedBy"]) == (confirmed["id"], "大厅", "person:值班长")
    assert TOKENS.read(answer["token"], NOW).subject == f"screen:{confirmed['id']}"


async def test_a_screen_is_refused(office: Office) -> None:
    pairing = (await office.client.post("/auth/pairings")).json()
    assert (await office.ask("DELETE", f"/auth/pairings/{pairing['userCode']}")).status_code == 204
    asking = {"deviceCode": pairing["deviceCode"]}
    assert code_of(await office.client.post("/auth/pairings/token", json=asking)) == (400, "ACCESS_DENIED")
    unknown = {"deviceCode": "unknown"}
    assert code_of(await office.client.post("/auth/pairings/token", json=unknown)) == (400, "EXPIRED")
    for path in ("/auth/pairings/WDJB-MJHT", "/auth/pairings/%00", f"/auth/pairings/{'W' * 3000}"):
        assert code_of(await office.ask("POST", path, {"name": "x"})) == (404, "NOT_FOUND")


# -- commands --


async def test_the_commands_issue_list_and_revoke(office: Office) -> None:
    def run(*words: str) -> tuple[int, str, str]:
        done = web(*words, url=office.url, HUHANG_SECRET=SECRET.get_secret_value())
        return done.returncode, done.stdout, done.stderr

    status, token, _ = run("token", "add", "--role", "inspector", "--inspector", "b1", "--ttl", "366d")
    assert status == 0
    # The command runs now, and the server of this test at its own time.
    assert "b1" in run("token", "list")[1]
    assert run("token", "--role", "commander")[2].startswith("A name is needed")
    assert run("token", "--role", "inspector", "--inspector", "b9")[2].startswith("The register has no such")
    assert run("token", "revoke", "2") == (0, "", "Revoked.\n")
    assert run("token", "revoke", "2")[0] == 1
    assert await office.viewer(token.strip()) == "UNAUTHENTICATED"


async def test_a_token_needs_the_servers_secret(office: Office) -> None:
    done = web("token", "--role", "commander", "--name", "x", url=office.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("HUHANG_SECRET is needed")


async def test_the_commands_pair_a_screen(databases: Databases, migrated_url: str) -> None:
    url = await databases.new(migrated_url)
    now = dt.datetime.now(dt.UTC)
    async with talking(Settings(database_url=url, secret=SECRET), lambda: now) as client:
        one, other = [(await client.post("/auth/pairings")).json() for _ in range(2)]
        listed = web("screen", "list", url=url).stdout.split()
        assert {one["userCode"], other["userCode"]} <= set(listed)
        done = web("screen", "confirm", one["userCode"], "--name", "大厅", url=url)
        assert (done.returncode, done.stderr) == (0, "Confirmed. The screen has the token 1.\n")
        assert web("screen", "deny", other["userCode"], url=url).stderr == "Refused.\n"
        again = web("screen", "confirm", other["userCode"], "--name", "x", url=url)
        assert (again.returncode, again.stderr) == (1, "No screen shows this code, or it has expired.\n")
        answer = (await client.post("/auth/pairings/token", json={"deviceCode": one["deviceCode"]})).json()
        headers = {"authorization": f"Bearer {answer['token']}"}
        viewer = (await client.post("/graphql", json=WHO, headers=headers)).json()["data"]["viewer"]
        assert viewer == {"role": "WALL", "name": "大厅", "scopes": []}
