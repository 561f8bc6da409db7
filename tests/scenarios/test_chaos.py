"""Whatever is killed meanwhile, each client that goes on after its last cursor gets every event once, and in order."""

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
from tests.support.proofs import record
from tests.support.redis_server import Redis, redis
from tests.support.stream_clients import SECRET
from web.auth.tokens import Claims, Tokens

RUNS = 10 if PROVING else 1
SUBSCRIBERS, EVENTS, WRITERS = (200, 5_000, 6) if PROVING else (24, 200, 3)
COMPLETE_SECONDS = 60.0
# From when an event was written: to half of all who were to be told; to the last of all, whatever was being killed; and
# from the last event of a run to when everybody had everything.
MEDIAN, LATEST, COMPLETE = "median delay, ms", "time to recover, s", "complete after the last write, s"

Havoc = Callable[["Scenery", Progress], Awaitable[None]]


@dataclass
class Scenery:
    """What may be broken, and what it serves."""

    url: str
    world: World
    story: ChaosRun
    everything: list[KillableServer]
    bus: Redis | None = None
    postgres: KillablePostgres | None = None


def token(role: Role = Role.COMMANDER, enterprise: str | None = None) -> str:
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=10)
    return Tokens(SECRET).make(Claims(role, until, subject=role.value, enterprise=enterprise))


def clients_of(story: ChaosRun, world: World) -> list[ResumingClient]:
    """All kinds of filters and transports, in turn."""
    commander, own = token(Role.COMMANDER), token(Role.ENTERPRISE, "e0")
    zone, other = world.id("zone"), world.id("other_enterprise")
    kinds: list[tuple[dict[str, Any] | None, Callable[[Any], bool], str]] = [
        (None, lambda event: True, commander),
        ({"zones": [zone]}, lambda event: world.zone in event.zones, commander),
        ({"enterprises": [other]}, lambda event: event.enterprise_id == world.other_enterprise, commander),
        (None, lambda event: event.enterprise_id == world.enterprise, own),
        ({"majorOnly": True}, lambda event: event.major, token(Role.WALL)),
    ]
    return [ResumingClient(story, *kinds[n % len(kinds)], events=n % 4 == 3) for n in range(SUBSCRIBERS)]


async def written(url: str) -> list[Any]:
    """The log as it is in the database."""
    database = Database(url)
    try:
        async with database.read() as connection:
            return list(await connection.execute(sa.select(EVENT).order_by(EVENT.c.id)))
    finally:
        await database.close()


async def prepared(url: str) -> tuple[World, str]:
    """A small district; its cursor."""
    database = Database(url)
    try:
        await migrate(database)
        world = await small_world(database)
        async with database.read() as connection:
            return world, (await log_state(connection)).cursor
    finally:
        await database.close()


async def break_everything(scenery: Scenery, progress: Progress) -> None:
    """The bus, a server and the database, one after the other."""
    bus, postgres, victim = scenery.bus, scenery.postgres, scenery.everything[-1]
    assert bus is not None
    assert postgres is not None
    await progress.reach(0.15)
    bus.kill()
    await progress.reach(0.35)
    await asyncio.to_thread(bus.start)
    await progress.reach(0.45)
    victim.kill()
    scenery.story.servers = scenery.everything[:-1]
    await progress.reach(0.6)
    await asyncio.to_thread(postgres.quit)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(postgres.start)
    victim.start()
    await victim.ready()
    scenery.story.servers = scenery.everything


async def break_the_server(scenery: Scenery, progress: Progress) -> None:
    [server] = scenery.everything
    await progress.reach(0.4)
    server.kill()
    await asyncio.sleep(0.3)
    server.start()
    await server.ready()


async def play(scenery: Scenery, havoc: Havoc) -> dict[str, int | float]:
    """One run: what came of it."""
    story, world = scenery.story, scenery.world
    clients, progress, began = clients_of(story, world), Progress(EVENTS), time.monotonic()
    enterprises = [world.id("enterprise"), world.id("other_enterprise")]
    running = [asyncio.create_task(client.run()) for client in clients[: SUBSCRIBERS // 2]]
    writers = [asyncio.create_task(write_inspections(story, token(), enterprises, progress)) for _ in range(WRITERS)]
    dropping = asyncio.create_task(drop_connections(story, clients, progress))
    try:
        await progress.reach(0.1)
        running += [asyncio.create_task(client.run()) for client in clients[SUBSCRIBERS // 2 :]]
        await havoc(scenery, progress)
        await asyncio.gather(*writers)
        drops = await dropping
        log = [event for event in await written(scenery.url) if event.id > int(story.start.split("-")[1])]
        owed = {client: [event.id for event in log if client.wants(event)] for client in clients}
        took = await wait_until_complete(clients, owed, COMPLETE_SECONDS)
    finally:
        story.over = True
        tasks = [*running, *writers, dropping]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert [client.wrong for client in clients if client.wrong] == []
    at = {event.id: event.at.timestamp() for event in log}
    late = sorted(seconds for client in clients for seconds in client.late(at))
    return {
        "events": len(log),
        "subscribers": len(clients),
        "delivered": sum(len(client.got) for client in clients),
        "lost": sum(len(set(owed[client]) - set(client.got)) for client in clients),
        "repeated": sum(len(client.got) - len(set(client.got)) for client in clients),
        "not theirs": sum(len(set(client.got) - set(owed[client])) for client in clients),
        "out of order": sum(client.got != sorted(client.got) for client in clients),
        "connections": sum(client.connections for client in clients),
        "of them cut by clients": drops,
        MEDIAN: round(1_000 * late[len(late) // 2], 1),
        LATEST: round(late[-1], 2),
        COMPLETE: round(took, 2),
        "seconds": round(time.monotonic() - began, 1),
    }


def check(name: str, found: list[dict[str, int | float]]) -> None:
    for run in found:
        assert [run[what] for what in ("lost", "repeated", "not theirs", "out of order")] == [0, 0, 0, 0], found
        assert run[COMPLETE] < COMPLETE_SECONDS
        assert run["delivered"] > EVENTS
    worst = (MEDIAN, LATEST, COMPLETE)
    totals = {key: f"{sum(run[key] for run in found):,.0f}" for key in found[0] if key not in worst}
    worsts = {f"{key}, at the most": max(run[key] for run in found) for key in worst}
    record(
        "live",
        "Subscribers who go on after their cursors, whatever is killed meanwhile",
        {"what": name, "runs": len(found), **totals, **worsts},
    )


async def test_three_servers_a_bus_and_a_database_that_are_killed(scratch: Path) -> None:
    found = []
    with redis(scratch / "chaos-redis.log") as bus:
        postgres = KillablePostgres(scratch / "chaos")
        try:
            for run in range(RUNS):
                url = await postgres.new(f"run{run}")
                async with AsyncExitStack() as stack:
                    scenery = await opened(stack, scratch, url, bus.url, 3)
                    scenery.bus, scenery.postgres = bus, postgres
                    found.append(await play(scenery, break_everything))
                # After each: hours of them must not be lost with the last.
                check("three servers, PostgreSQL and Redis; all of them killed once", found)
        finally:
            postgres.close()


async def test_one_server_on_sqlite_that_is_killed(scratch: Path) -> None:
    found = []
    for run in range(RUNS):
        async with AsyncExitStack() as stack:
            scenery = await opened(stack, scratch, f"sqlite:///{scratch / f'chaos{run}.db'}", "memory://", 1)
            found.append(await play(scenery, break_the_server))
        check("one server on SQLite, killed once", found)


async def opened(stack: AsyncExitStack, scratch: Path, url: str, bus: str, number: int) -> Scenery:
    world, cursor = await prepared(url)
    servers = [KillableServer(scratch / f"chaos-{n}.log", url, bus) for n in range(number)]
    for server in servers:
        stack.callback(server.kill)
        server.start()
    for server in servers:
        await server.ready()
    return Scenery(url, world, ChaosRun(list(servers), cursor), servers)
