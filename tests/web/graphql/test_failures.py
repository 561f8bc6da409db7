"""Faults of the server: the client gets a code or an incident id, the log gets the cause, and neither gets SQL."""

import re
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import structlog

from models.db.database import driver_url
from models.failures import FAILURES
from schema.execution.executor import Executor
from schema.plan.cache import PlanRunner
from schema.types import node_id
from tests.conftest import Databases
from tests.support.pictures import photograph
from tests.web.conftest import SECRET, talking
from web.graphql.negotiation import EVENTS, GRAPHQL, JSON
from web.settings import Settings

INCIDENT = re.compile(r"[0-9a-f]{16}")
LEAKS = re.compile(r"select|district\.|zone\.|sqlite|postgres|asyncpg|traceback|\.py|relation|database", re.IGNORECASE)
SIGN_IN = {"name": "duty", "password": "no password of anybody"}


async def destroy(url: str) -> None:
    """Destroy a database that is in use."""
    parsed = driver_url(url)
    if parsed.drivername.startswith("sqlite"):
        overwrite(Path(str(parsed.database)))
        return
    server = await asyncpg.connect(url.replace(f"/{parsed.database}?", "/postgres?"))
    await server.execute(f"DROP DATABASE {parsed.database} WITH (FORCE)")
    await server.close()


def overwrite(file: Path) -> None:
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    file.write_bytes(b"gone" * 10_000)


@pytest.mark.parametrize("planned", [True, False])
async def test_without_the_database_every_path_says_unavailable_without_details(
    databases: Databases, demo_url: str, planned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await databases.new(demo_url)
    query = {"query": "{ district { name } hazards(first: 2) { nodes { id enterprise { name } } } }"}
    enterprise = node_id.encode("Enterprise", 1)
    request = f'assistanceRequest(input: {{ enterprise: "{enterprise}", problem: "排水" }})'
    plan = {"query": f"mutation {{ {request} {{ __typename }} }}"}
    follow = {"query": 'subscription { updates(after: "0123456789abcdef-1") { kind } }'}
    async with talking(Settings(database_url=url, demo=True, secret=SECRET)) as client:
        [token] = [v["token"] for v in await demo_tokens(client) if v["label"] == "Commander"]
        assert "errors" not in (await client.post("/graphql", json=query)).json()
        await client.post("/graphql", json=plan, headers={"authorization": f"Bearer {token}"})
        await destroy(url)
        if not planned:
            monkeypatch.setattr(PlanRunner, "data", nothing)
        FAILURES.forget()
        with structlog.testing.capture_logs() as logs:
            for media in (JSON, GRAPHQL, EVENTS):
                assert_unavailable(await client.post("/graphql", json=query, headers={"accept": media}))
            assert_unavailable(await client.post("/auth/sign-in", json=SIGN_IN))
            if not url.startswith("sqlite"):  # whose open connections still have what they need in memory
                assert_unavailable(await client.post("/graphql", json=follow, headers={"accept": EVENTS}))
                as_commander = {"authorization": f"Bearer {token}"}
                assert_unavailable(await client.post("/graphql", json=plan, headers=as_commander), mutationsFinished=0)
                png = {**as_commander, "content-type": "image/png"}
                assert_unavailable(await client.post("/evidence", content=photograph("PNG"), headers=png))
        named = [entry for entry in logs if entry["event"] == "a request was not served"]
        assert {entry["code"] for entry in named} == {"UNAVAILABLE"}
        assert len(named) == len({entry.get("state") for entry in named})  # each name once
        assert not re.search(r"select |insert |relation|排水", str(logs), re.IGNORECASE)
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503


async def nothing(*_: object, **__: object) -> None:
    """No plan: graphql-core executes the operation."""


async def demo_tokens(client: httpx.AsyncClient) -> Any:
    return (await client.get("/graphiql/viewers.json")).json()["viewers"]


def assert_unavailable(response: httpx.Response, **more: int) -> None:
    assert response.status_code == 503, response.text
    assert response.headers["retry-after"] == "5"
    [error] = response.json()["errors"]
    assert error["extensions"].pop("requestId") == response.headers["x-request-id"]
    assert error["extensions"] == {"code": "UNAVAILABLE", "reason": "NOT_AVAILABLE", "retryAfter": 5, **more}
    assert "data" not in response.json()
    assert not LEAKS.search(response.text)


async def test_a_fault_outside_of_all_fields_is_masked_too(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("SELECT secret FROM zone.py")

    monkeypatch.setattr(Executor, "execute", fail)
    with structlog.testing.capture_logs() as logs:
        response = await client.post("/graphql", json={"query": "{ __typename }"})
    assert response.status_code == 500
    assert "data" not in response.json()
    errors = response.json()["errors"]
    assert errors
    for error in errors:
        incident = error["extensions"].pop("incident")
        parameters = {"incident": incident}
        assert error["extensions"].pop("requestId") == response.headers["x-request-id"]
        assert error["extensions"] == {"code": "INTERNAL", "reason": "INTERNAL", "parameters": parameters}
        assert INCIDENT.fullmatch(incident)
        assert incident in error["message"]
        assert f"'incident': '{incident}'" in str(logs)
    assert not LEAKS.search(response.text)
