"""The log of requests, operations, sockets and streams: ids that agree, and nothing personal."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import structlog

from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.stream_clients import ALL, LiveDistrict, live_district, small_district
from tests.web.conftest import SECRET, talking
from web.operations import outcome_of
from web.settings import Settings

PRIVATE = "13800000000"
ID = {"x-request-id": "proxy-1"}


class Log:
    """The lines that a process has logged."""

    def __init__(self, live: LiveDistrict) -> None:
        self._live = live

    def lines(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._live.process.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def last(self, event: str, number: int) -> dict[str, Any]:
        """The line of this number, once it is there."""
        async with asyncio.timeout(PATIENCE):
            while len(lines := self.lines(event)) < number:
                await asyncio.sleep(0.02)
        return lines[number - 1]


@pytest_asyncio.fixture
async def live(databases: Databases, migrated_url: str, scratch: Path) -> AsyncIterator[LiveDistrict]:
    url, world = await small_district(databases, migrated_url)
    with live_district(scratch, url, world, HUHANG_REQUEST_LOG="true", HUHANG_SLOW_SECONDS="0.000001") as district:
        yield district


async def test_requests_are_logged_without_personal_data(live: LiveDistrict) -> None:
    log, bearer = Log(live), {"authorization": f"Bearer {live.token()}"}
    async with httpx.AsyncClient(base_url=live.process.address, timeout=PATIENCE) as client:
        search = {"query": "query Find($q: String!) { search(text: $q) { __typename } }", "variables": {"q": PRIVATE}}
        response = await client.post("/graphql", json=search, headers=ID | bearer)
        assert response.headers["x-request-id"] == "proxy-1"
        line = await log.last("request", 1)
        assert line.items() >= {
            "request": "proxy-1", "method": "POST", "path": "/graphql", "status": 200,
            "operation": "Find", "kind": "query", "code": None,
        }.items()  # fmt: skip
        assert line["cost"] > 0
        assert line["ms"] > 0
        assert line["viewer"]
        slow = await log.last("slow operation", 1)
        assert (slow["request"], slow["operation"]) == ("proxy-1", "Find")
        refused = await client.get("/graphql", params={"query": f'{{ zone(by: {{ code: "{PRIVATE}" }}) {{ nme }} }}'})
        line = await log.last("request", 2)
        assert (line["status"], line["code"]) == (200, "BAD_DOCUMENT")
        [error] = refused.json()["errors"]
        assert line["request"] == refused.headers["x-request-id"] == error["extensions"]["requestId"]
        await client.get(f"/{PRIVATE}")
        line = await log.last("request", 3)
        assert (line["status"], line["path"], line["code"]) == (404, None, "NOT_FOUND")
    assert PRIVATE not in live.process.log


async def test_sockets_and_streams_are_logged(live: LiveDistrict) -> None:
    log, bearer = Log(live), {"authorization": f"Bearer {live.token()}"}
    async with httpx.AsyncClient(base_url=live.process.address, timeout=PATIENCE) as client:
        headers = {"accept": "text/event-stream", **bearer}
        async with client.stream("POST", "/graphql", json={"query": ALL}, headers=headers) as stream:
            opened = await log.last("stream opened", 1)
            assert opened["request"] == stream.headers["x-request-id"]
        closed = await log.last("stream closed", 1)
        assert (closed["why"], closed["request"]) == ("client", opened["request"])
    async with live.socket() as socket:
        await socket.subscribe("1", ALL)
        await socket.expect_quiet()
        opened = await log.last("socket opened", 1)
        operation = await log.last("operation", 1)
        assert operation["kind"] == "subscription"
        assert operation["request"] == opened["request"]
    closed = await log.last("socket closed", 1)
    assert closed["request"] == opened["request"]
    assert closed["code"] in (1000, 1005, 1006)
    assert closed["seconds"] >= 0
    assert closed["viewer"]


async def test_without_the_setting_only_what_is_slow_is_logged(databases: Databases, demo_url: str) -> None:
    for slow, expected in ((0, []), (1e-6, ["slow operation"]), (60, [])):
        settings = Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET, slow_seconds=slow)
        async with talking(settings) as client:
            with structlog.testing.capture_logs() as logs:
                await client.post("/graphql", json={"query": "{ zones { name } }"})
        assert [
            line["event"] for line in logs if line["event"] in ("request", "operation", "slow operation")
        ] == expected


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ([], "ok"),
        (["BAD_ID"], "errors"),
        (["BAD_ID", "TIMEOUT"], "stopped"),
        (["TIMEOUT", "INTERNAL"], "failed"),
        (["UNAVAILABLE"], "failed"),
        (["TOO_MANY"], "throttled"),
    ],
)
def test_the_gravest_error_is_the_outcome(codes: list[str], outcome: str) -> None:
    assert outcome_of(codes) == outcome
