"""The command that serves."""

import asyncio
import os
import socket
import subprocess
import sys
from typing import Annotated

import typer

from models.db.database import Database
from models.db.revisions import head, is_migrated, revision_of
from web import demo, server, workers
from web.auth.keys import SECRET_MINIMUM
from web.cli.account import setup_key
from web.cli.common import console, fail, load_settings, with_database
from web.cli.limits import tell_connections, tell_files
from web.cli.seed import prepare_demo
from web.logging import configure
from web.origins import is_loopback
from web.pages import PAGES
from web.settings import Settings

SIMULATION_RATE = 0.7  # calls a second


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 8000,
    demo_mode: Annotated[bool, typer.Option("--demo", help="Demo mode: migrate, and seed an empty database.")] = False,
    simulated: Annotated[
        bool, typer.Option("--simulate/--no-simulate", help="Simulate working days at a gentle rate.")
    ] = False,
    processes: Annotated[int, typer.Option("--workers", min=1, max=256, help="Number of processes.")] = 1,
) -> None:
    """Serve the graph."""
    settings = load_settings()
    if demo_mode:
        # The application reads its settings itself, also in other processes.
        os.environ["HUHANG_DEMO"] = "true"
        settings = load_settings()
    if not settings.demo and settings.secret is None:
        fail(f"HUHANG_SECRET is needed: at least {SECRET_MINIMUM} characters that nobody can guess. Or try --demo.", 2)
    if processes > 1:
        check_bus(settings)
    configure(settings.log_level)
    # Before the demo is seeded, which takes a while, so that an address in use is reported at once.
    try:
        bound = server.bind(host, port)
    except OSError as error:
        fail(f"Cannot listen on {host} port {port}: {error.strerror}.")
    with_database(settings, lambda database: prepare(database, settings, processes))
    tell_files(settings)
    if settings.demo:
        warn_of_exposure(bound)
    key = None if settings.demo else asyncio.run(setup_key(settings))
    if not run(bound, processes, settings.log_level, simulated=simulated, setup=key, public_url=settings.public_url):
        raise typer.Exit(1)


async def prepare(database: Database, settings: Settings, processes: int) -> None:
    """Have the tables that are needed, and look for room for connections."""
    if settings.demo:
        await prepare_demo(database, settings.demo_enterprises)
    else:
        await require_migrated(database)
    await tell_connections(database, settings, processes)


async def require_migrated(database: Database) -> None:
    """Ends the command where the database has another schema than this version needs."""
    async with database.read() as connection:
        revision = await revision_of(connection)
    if not is_migrated(revision):
        state = "has no tables" if revision is None else f"is at revision {revision}"
        fail(f"The database {state}, and this version needs revision {head()}. Run: python -m web migrate")


def warn_of_exposure(bound: socket.socket) -> None:
    """Say loudly that other machines can reach a demo."""
    address = bound.getsockname()[0]
    if not is_loopback(address):
        for text in demo.EXPOSED.values():
            console.print(f"WARNING: {text}", style="bold red", soft_wrap=True, highlight=False)
        console.print(f"It listens on {address}. Only this machine: --host 127.0.0.1", soft_wrap=True, highlight=False)


def check_bus(settings: Settings) -> None:
    """Several processes notify each other over a bus. Without one, only those on SQLite may poll each second."""
    if settings.bus_url.startswith("memory:"):
        if not settings.database_url.startswith("sqlite:"):
            fail("Several processes need a bus: HUHANG_BUS_URL=redis://…", 2)
        console.print("Without a bus the processes poll each second. HUHANG_BUS_URL=redis://… notifies them at once.")


def run(
    bound: socket.socket,
    processes: int,
    log_level: str,
    *,
    simulated: bool,
    setup: str | None = None,
    public_url: str | None = None,
) -> bool:
    """Serve until the process is told to stop, with a simulation beside it if wanted. False when that failed."""
    simulations: list[subprocess.Popen[bytes]] = []

    def listening() -> None:
        url = server.url_of(bound)
        if setup is not None:
            print_setup(public_url or url, setup)
        print_addresses(url)  # last: whoever has read its lines has read all
        if simulated:
            simulations.append(start_simulation(url))
            console.print("The simulation plays a working day, so that there are events.")
            console.print("Without it: make run ARGS=--no-simulate")

    def stop() -> None:
        for process in simulations:
            process.terminate()
            process.communicate()

    try:
        if processes > 1:
            return workers.run(processes, bound, listening, log_level=log_level)
        server.run(bound, listening, log_level=log_level, hung=stop)
        return True
    finally:
        stop()


def start_simulation(url: str) -> "subprocess.Popen[bytes]":
    """Start the simulation in a process of its own, at a gentle rate."""
    options = ["--url", url, "--rate", str(SIMULATION_RATE), "--attended"]
    # In a group of its own, so that Ctrl-C ends the server first and the server ends the simulation. Its input ends
    # with this process, even if that is killed.
    return subprocess.Popen(
        [sys.executable, "-m", "web", "simulate", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def print_addresses(url: str) -> None:
    """Say where to go, once the server listens."""
    if (PAGES / "graphiql" / "index.html").is_file():
        console.print(f"Start page {url}/\nWall       {url}/wall/\nGraphiQL   {url}/graphiql/", soft_wrap=True)
    else:
        reason = "not built: that needs Node 20.19 or later, and then `make run` again."
        console.print(f"GraphiQL   {reason}", soft_wrap=True)
    console.print(f"The graph  {url}/graphql\nThe schema {url}/schema.graphql", soft_wrap=True)
    console.print("Ctrl-C stops the server.")


def print_setup(url: str, key: str) -> None:
    """Say how the first account is made."""
    console.print("There is no account yet. Whoever opens this address within an hour makes the first, a commander:")
    console.print(f"{url}/signin/?setup={key}", soft_wrap=True, markup=False, highlight=False)
