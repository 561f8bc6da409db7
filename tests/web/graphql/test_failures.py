"""Faults of the server: the client gets an incident id, the log gets the cause, and neither gets SQL."""

import re
from pathlib import Path

import asyncpg
import httpx
import pytest
import structlog

from models.db.database import driver_url
from schema.execution.executor import Executor
from tests.conftest import Databases
from tests.web.conftest import SECRET, talking
from web.graphql.negotiation import GRAPHQL, JSON
from web.settings import Settings

INCIDENT = re.compile(r"[0-9a-f]{16}")
LEAKS = re.compile(r"select|district\.|zone\.|sqlite|postgres|asyncpg|traceback|\.py|relation|database", re.IGNORECASE)


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


@pytest.mark.parametrize("media", [JSON, GRAPHQL])
async def test_without_the_database_an_error_has_an_incident_id_and_no_details(
    databases: Databases, demo_url: str, media: str
) -> None:
    url = await databases.new(demo_url)
    query = {"query": "{ district { name } hazards(first: 2) { nodes { id enterprise { name } } } }"}
    async with talking(Settings(database_url=url, demo=True, secret=SECRET)) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert "errors" not in (await client.post("/graphql", json=query)).json()
        await destroy(url)
        with structlog.testing.capture_logs() as logs:
            response = await client.post("/graphql", json=query, headers={"accept": media})
        assert_masked(response, logs)
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert not LEAKS.search(ready.text.replace("the database does not answer", ""))


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
    assert_masked(response, logs)


def assert_masked(response: httpx.Response, logs: object) -> None:
    errors = response.json()["errors"]
    assert errors
    for error in errors:
        incident = error["extensions"].pop("incident")
        parameters = {"incident": incident}
        assert error["extensions"] == {"code": "INTERNAL", "reason": "INTERNAL", "parameters": parameters}
        assert INCIDENT.fullmatch(incident)
        assert incident in error["message"]
        assert f"'incident': '{incident}'" in str(logs)
    assert not LEAKS.search(response.text)
