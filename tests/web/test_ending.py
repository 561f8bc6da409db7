"""Stopping a server: every stream is closed, and nothing that hangs delays the end."""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx
import psutil

from models.db.database import driver_url
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.stream_clients import ALL, PLAN, LiveDistrict, Socket, live_district, small_district
from web.graphql import close_codes

SECONDS = 5.0  # that a server may take to stop; checked in `make prove` only, on an otherwise idle machine
HANGING = "{ enterprises { nodes { id } } }"


async def close_code(socket: Socket) -> int:
    return (await socket.closed()).code


def stop(live: LiveDistrict) -> float:
    """Stop the server. Returns the seconds that took."""
    began = time.monotonic()
    assert live.process.end() == 0
    return time.monotonic() - began


async def test_sigterm_closes_every_socket_with_1012(
    databases: Databases, migrated_url: str, scratch: Path, record_proof: RecordProof
) -> None:
    url, world = await small_district(databases, migrated_url)
    with live_district(scratch, url, world) as live:
        async with live.socket() as subscribed, live.socket() as idle, live.socket(init=False) as silent:
            await subscribed.subscribe("1", ALL)
            await subscribed.expect_quiet()
            *codes, seconds = await asyncio.gather(
                close_code(subscribed), close_code(idle), close_code(silent), asyncio.to_thread(stop, live)
            )
            assert codes == [close_codes.ENDING.code] * 3
    note(record_proof, "nothing under way", url, seconds)


def outcome(answer: httpx.Response | BaseException) -> str:
    """The code of an error, else the status; `cut` when the connection ended without a response."""
    # The end of a connection is read as its close or as its reset, whichever the kernel sends first.
    if isinstance(answer, (httpx.RemoteProtocolError, httpx.ReadError)):
        return "cut"
    assert isinstance(answer, httpx.Response), answer
    if answer.status_code == 200:
        return "200"
    assert answer.status_code == 503
    [error] = answer.json()["errors"]
    return str(error["extensions"]["code"])


@asynccontextmanager
async def frozen(url: str) -> AsyncIterator[None]:
    """A database that neither answers nor goes away. On SQLite nobody can write."""
    if url.startswith("sqlite"):
        other = sqlite3.connect(str(driver_url(url).database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.close()
        return
    server = await asyncpg.connect(url)
    rows = await server.fetch("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    pids = [row["pid"] for row in rows]
    parent = psutil.Process(pids[0]).ppid()
    server.terminate()
    for pid in (parent, *pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (*pids, parent):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def test_a_database_that_does_not_answer_does_not_delay_the_end(
    databases: Databases, migrated_url: str, scratch: Path, record_proof: RecordProof
) -> None:
    url, world = await small_district(databases, migrated_url)
    with live_district(scratch, url, world) as live:
        headers = {"authorization": f"Bearer {live.token()}"}
        given = {"enterprise": world.id("enterprise"), "kind": "ROUTINE", "plannedFor": "2099-01-01T00:00:00Z"}
        hanging = [{"query": HANGING}, {"query": PLAN, "variables": {"input": given}}]
        async with (
            live.socket() as subscribed,
            httpx.AsyncClient(base_url=live.address, headers=headers, timeout=PATIENCE) as client,
        ):
            await subscribed.subscribe("1", ALL)
            await subscribed.expect_quiet()
            # Opens connections to the database, so that they are free later.
            await asyncio.gather(*(client.post("/graphql", json={"query": HANGING}) for _ in range(8)))
            async with frozen(url):
                asking = [asyncio.create_task(client.post("/graphql", json=body)) for body in hanging * 3]
                # Answered only after the server has the last of them.
                assert (await client.get("/healthz")).status_code == 200
                code, seconds = await asyncio.gather(close_code(subscribed), asyncio.to_thread(stop, live))
                answers = await asyncio.gather(*asking, return_exceptions=True)
            assert code == close_codes.ENDING.code
            # A mutation that waits for a rollback by PostgreSQL is cut without a response.
            kinds = [outcome(answer) for answer in answers]
            expected = {("200", "ENDING")} if url.startswith("sqlite") else {("ENDING", "ENDING"), ("ENDING", "cut")}
            assert set(zip(kinds[::2], kinds[1::2], strict=True)) <= expected
    note(record_proof, "queries and mutations hang", url, seconds)


def note(record_proof: RecordProof, what: str, url: str, seconds: float) -> None:
    if PROVING:
        assert seconds < SECONDS
    database = driver_url(url).get_backend_name()
    record_proof(
        "ending", "How long a server takes to end", {"while": f"{what}, {database}", "seconds": f"{seconds:.1f}"}
    )
