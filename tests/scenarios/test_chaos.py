"""Clients that resume after their last cursor get every event once and in order, whatever is killed meanwhile."""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from models.db.database import Database
from models.db.migrate import migrate
from models.visibility import Role
from subscriptions.event_log import EVENT
from subscriptions.event_log import state as log_state
from tests.support.actors import World, small_world
from tests.support.fault_injection import (
    ChaosRun,
    KillablePostgres,
    KillableServer,
    Progress,
    ResumingClient,
    drop_connections,
    wait_until_complete,
    write_inspections,
)
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.redis_server import Redis, redis
from tests.support.stream_clients import SECRET
from tests.support.tokens import issue_at
from web.auth.tokens import Tokens

RUNS = 10 if PROVING else 1
SUBSCRIBERS, EVENTS, WRITERS = (200, 5_000, 6) if PROVING else (24, 200, 3)
# The median and the longest delay of an event, and how long after the last write every client had every event.
MEDIAN, LONGEST, COMPLETE = "median delay, ms", "time to recover, s", "complete after the last write, s"

Faults = Callable[["Deployment", Progress], Awaitable[None]]


@dataclass
class Deployment:
    """The servers, bus and database of one run, which may be killed."""

    url: str
    world: World
    chaos: ChaosRun
    servers: list[KillableServer]
    bus: Redis | None = None
    postgres: KillablePostgres | None = None


async def token(url: str, role: Role, **holder: str) -> str:
    """A token of this role, which its database knows."""
    until = dt.timedelta(hours=10)
    return await issue_at(url, Tokens(SECRET), dt.datetime.now(dt.UTC), role=role, ttl=until, **holder)


async def clients_of(deployment: Deployment, commander: str) -> list[ResumingClient]:
    """Clients with all kinds of filters, roles and transports, in turn."""
    chaos, world, url = deployment.chaos, deployment.world, deployment.url
    own = await token(url, Role.ENTERPRISE, enterprise="e0")
    wall = await token(url, Role.WALL, name="大屏")
    zone, other = world.id("zone"), world.id("other_enterprise")
    kinds: list[tuple[dict[str, Any] | None, Callable[[Any], bool], str]] = [
        (None, lambda event: True, commander),
        ({"zones": [zone]}, lambda event: world.zone in event.zones, commander),
        ({"enterprises": [other]}, lambda event: event.enterprise_id == world.other_enterprise, commander),
        (None, lambda event: event.enterprise_id == world.enterprise and not event.internal, own),
        ({"majorOnly": True}, lambda event: event.major, wall),
    ]
    return [ResumingClient(chaos, *kinds[n % len(kinds)], sse=n % 4 == 3) for n in range(SUBSCRIBERS)]


async def logged_events(url: str) -> list[Any]:
    """All events in the database."""
    database = Database(url)
    try:
        async with database.read() as connection:
            return list(await connection.execute(sa.select(EVENT).order_by(EVENT.c.id)))
    finally:
        await database.close()


async def create_district(url: str) -> tuple[World, str]:
    """Fill the database with a small district; its world and the cursor of its log."""
    database = Database(url)
    try:
        await migrate(database)
        world = await small_world(database)
        async with database.read() as connection:
            return world, (await log_state(connection)).cursor
    finally:
        await database.close()


async def kill_everything(deployment: Deployment, progress: Progress) -> None:
    """Kill the bus, then a server, then the database, and restart each."""
    bus, postgres, victim = deployment.bus, deployment.postgres, deployment.servers[-1]
    assert bus is not None
    assert postgres is not None
    await progress.reach(0.15)
    bus.kill()
    await progress.reach(0.35)
    await asyncio.to_thread(bus.start)
    await progress.reach(0.45)
    victim.kill()
    deployment.chaos.servers = deployment.servers[:-1]
    await progress.reach(0.6)
    await asyncio.to_thread(postgres.quit)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(postgres.start)
    victim.start()
    await victim.ready()
    deployment.chaos.servers = deployment.servers


async def kill_the_server(deployment: Deployment, progress: Progress) -> None:
    [server] = deployment.servers
    await progress.reach(0.4)
    server.kill()
    await asyncio.sleep(0.3)
    server.start()
    await server.ready()


async def play(deployment: Deployment, inject_faults: Faults) -> dict[str, int | float]:
    """One run; its counts and delays."""
    chaos, world = deployment.chaos, deployment.world
    commander = await token(deployment.url, Role.COMMANDER, name="值班")
    clients, progress, began = await clients_of(deployment, commander), Progress(EVENTS), time.monotonic()
    enterprises = [world.id("enterprise"), world.id("other_enterprise")]
    running = [asyncio.create_task(client.run()) for client in clients[: SUBSCRIBERS // 2]]
    writers = [asyncio.create_task(write_inspections(chaos, commander, enterprises, progress)) for _ in range(WRITERS)]
    dropping = asyncio.create_task(drop_connections(chaos, clients, progress))
    try:
        await progress.reach(0.1)
        running += [asyncio.create_task(client.run()) for client in clients[SUBSCRIBERS // 2 :]]
        await inject_faults(deployment, progress)
        await asyncio.gather(*writers)
        drops = await dropping
        log = [event for event in await logged_events(deployment.url) if event.id > int(chaos.start.split("-")[1])]
        due = {client: [event.id for event in log if client.wants(event)] for client in clients}
        complete_seconds = await wait_until_complete(clients, due)
    finally:
        chaos.over = True
        tasks = [*running, *writers, dropping]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert [client.faults for client in clients if client.faults] == []
    return {
        **deliveries(clients, due),
        **delays(clients, log),
        COMPLETE: round(complete_seconds, 2),
        "events": len(log),
        "connections cut by clients": drops,
        "seconds": round(time.monotonic() - began, 1),
    }


def deliveries(clients: list[ResumingClient], due: dict[ResumingClient, list[int]]) -> dict[str, int]:
    """Counts of the events that all clients received, compared with those due to each."""
    return {
        "subscribers": len(clients),
        "connections": sum(client.connections for client in clients),
        "delivered": sum(len(client.received) for client in clients),
        "lost": sum(len(set(due[client]) - set(client.received)) for client in clients),
        "repeated": sum(len(client.received) - len(set(client.received)) for client in clients),
        "not for the client": sum(len(set(client.received) - set(due[client])) for client in clients),
        "out of order": sum(client.received != sorted(client.received) for client in clients),
    }


def delays(clients: list[ResumingClient], log: list[Any]) -> dict[str, float]:
    written_at = {event.id: event.at.timestamp() for event in log}
    seconds = sorted(delay for client in clients for delay in client.delays(written_at))
    return {MEDIAN: round(1_000 * seconds[len(seconds) // 2], 1), LONGEST: round(seconds[-1], 2)}


def check(name: str, runs: list[dict[str, int | float]], record_proof: RecordProof) -> None:
    for run in runs:
        assert [run[fault] for fault in ("lost", "repeated", "not for the client", "out of order")] == [0, 0, 0, 0], run
        assert run["delivered"] > EVENTS
    largest = (MEDIAN, LONGEST, COMPLETE)
    totals = {key: f"{sum(run[key] for run in runs):,.0f}" for key in runs[0] if key not in largest}
    maxima = {f"{key}, at most": max(run[key] for run in runs) for key in largest}
    record_proof(
        "live",
        "Subscribers that resume after their cursors, whatever is killed meanwhile",
        {"what": name, "runs": len(runs), **totals, **maxima},
    )


async def test_nothing_is_lost_when_servers_bus_and_database_are_killed(
    scratch: Path, record_proof: RecordProof
) -> None:
    runs = []
    with redis(scratch / "chaos-redis.log") as bus:
        postgres = KillablePostgres(scratch / "chaos")
        try:
            for number in range(RUNS):
                url = await postgres.new(f"run{number}")
                async with AsyncExitStack() as stack:
                    deployment = await deploy(stack, scratch, url, bus.url, 3)
                    deployment.bus, deployment.postgres = bus, postgres
                    runs.append(await play(deployment, kill_everything))
                # After each run: a fault is reported as soon as it shows.
                check("three servers, PostgreSQL and Redis; each killed once", runs, record_proof)
        finally:
            postgres.close()


async def test_nothing_is_lost_when_the_only_server_on_sqlite_is_killed(
    scratch: Path, record_proof: RecordProof
) -> None:
    runs = []
    for number in range(RUNS):
        async with AsyncExitStack() as stack:
            deployment = await deploy(stack, scratch, f"sqlite:///{scratch / f'chaos{number}.db'}", "memory://", 1)
            runs.append(await play(deployment, kill_the_server))
        check("one server on SQLite, killed once", runs, record_proof)


async def deploy(stack: AsyncExitStack, scratch: Path, url: str, bus: str, number: int) -> Deployment:
    world, cursor = await create_district(url)
    servers = [KillableServer(scratch / f"chaos-{n}.log", url, bus) for n in range(number)]
    for server in servers:
        stack.callback(server.kill)
        server.start()
    for server in servers:
        await server.ready()
    return Deployment(url, world, ChaosRun(list(servers), cursor), servers)
