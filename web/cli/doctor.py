"""The command that looks whether a server with these settings can work, and says what to do."""

import asyncio
import datetime as dt
import enum
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx
import redis.asyncio
import sqlalchemy as sa
import typer
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake
from websockets.typing import Subprotocol

import models
from models.db.database import Database
from models.db.outages import error_name
from models.db.revisions import head, is_migrated
from models.db.tables import table_of
from resolvers.evidence.store import open_store
from resolvers.evidence.uploads import ForeignStore, check_owner
from subscriptions.event_log import APPEND_LOCK
from web.cli.common import UNREACHABLE, console, load_settings
from web.cli.limits import connections_shortage, files_shortage
from web.graphql.close_codes import PROTOCOL
from web.settings import Settings

SECONDS = 5.0  # the longest wait for anything that is asked
SKEW = dt.timedelta(seconds=2)
EVENT = table_of(models.Event)


class Level(enum.IntEnum):
    """How grave a finding is, and the status of the command for it."""

    OK = 0
    WARNING = 1
    FAILURE = 2


@dataclass(frozen=True)
class Finding:
    """The state of one subject, and the remedy where it is not well."""

    level: Level
    subject: str
    text: str


Findings = AsyncIterator[Finding]
ok, warning, failure = (partial(Finding, level) for level in Level)


def doctor(
    processes: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes of each server.")] = 1,
) -> None:
    """Look whether a server with these settings can work, and say what to do."""
    try:
        settings = load_settings()
    except typer.Exit:
        raise typer.Exit(Level.FAILURE.value) from None
    worst = asyncio.run(examine(settings, processes))
    if worst is not Level.OK:
        raise typer.Exit(worst.value)


async def examine(settings: Settings, processes: int) -> Level:
    """Print each finding as it comes. Returns the gravest level."""
    worst = Level.OK
    checks = (
        check_settings(settings, processes),
        check_database(settings, processes),
        check_bus(settings),
        check_evidence(settings),
        check_proxy(settings),
    )
    for check in checks:
        async for finding in check:
            worst = max(worst, finding.level)
            line = f"{finding.level.name.lower():8} {finding.subject:9} {finding.text}"
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    return worst


async def check_settings(settings: Settings, processes: int) -> Findings:
    subject, well = "settings", True
    if settings.demo:
        well = False
        yield warning(subject, "Demo mode gives everybody on this machine every right: unset HUHANG_DEMO.")
    elif settings.secret is None:
        well = False
        yield failure(subject, "HUHANG_SECRET is missing: choose at least 32 characters that nobody can guess.")
    if settings.insecure_cookies:
        well = False
        yield warning(subject, "HUHANG_INSECURE_COOKIES lets others on the network read the cookies: use TLS.")
    if settings.public_url is None:
        well = False
        yield warning(subject, "HUHANG_PUBLIC_URL is missing, so the way through the proxy is not looked at.")
    if settings.bus_url.startswith("memory:") and (processes > 1 or settings.servers > 1):
        well = False
        yield failure(subject, "Several processes need a bus: HUHANG_BUS_URL=redis://…")
    if (shortage := files_shortage(settings)) is not None:
        well = False
        yield warning(subject, shortage)
    if well:
        yield ok(subject, "They fit together.")


async def check_database(settings: Settings, processes: int) -> Findings:
    subject = "database"
    if missing(settings):
        yield failure(subject, "There is none yet: python -m web migrate")
        return
    try:
        database = Database(settings.database_url, pool_size=1)
    except OSError as error:
        yield failure(subject, f"HUHANG_DATABASE_URL names no place that can be written: {error.strerror}.")
        return
    probe = database.probe(APPEND_LOCK)
    try:
        await probe.run()
        if not is_migrated(probe.revision):
            yield failure(subject, "Its schema is not that of this version: python -m web migrate")
            return
        newer = "" if probe.revision == head() else ", of a later version's schema"
        yield ok(subject, f"It answers and takes changes{newer}.")
        if (shortage := await connections_shortage(database, settings, processes)) is not None:
            yield warning(subject, shortage)
        async for finding in check_clock(database):
            yield finding
    except Exception as error:  # whatever it is, the database cannot be used
        reason = error_name(error) or type(error).__name__
        yield failure(subject, f"{WRONG_STEPS[probe.step]} ({reason})")
    finally:
        await database.close()


WRONG_STEPS = {
    "connection": "It does not answer: is it running, and are HUHANG_DATABASE_URL and the password right?",
    "migrations": "Its schema cannot be read: may this role use the database?",
    "write": "It takes no changes: look for a full disk, a read-only replica, missing rights, or a lock that is held.",
}


def missing(settings: Settings) -> bool:
    """Whether SQLite's file does not exist. To open it would make it."""
    url = sa.make_url(settings.database_url)
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file()


async def check_clock(database: Database) -> Findings:
    """This machine's clock against the database server's, and against the last event."""
    subject = "clock"
    async with database.read() as connection:
        last = (await connection.execute(sa.select(EVENT.c.at).order_by(EVENT.c.id.desc()).limit(1))).scalar()
        server = None
        if not database.sqlite:
            server = (await connection.execute(sa.text("SELECT clock_timestamp()"))).scalar_one()
    now = dt.datetime.now(dt.UTC)
    if server is not None and abs(now - server) > SKEW:
        seconds = (now - server).total_seconds()
        yield warning(subject, f"It is {seconds:+.0f} seconds from the database server's: run an NTP client on both.")
    elif last is not None and last > now + SKEW:
        yield warning(subject, f"The last event is of {last:%Y-%m-%d %H:%M:%S} UTC, which is to come: set the clock.")
    else:
        yield ok(subject, f"It is {now:%Y-%m-%d %H:%M:%S} UTC.")


async def check_bus(settings: Settings) -> Findings:
    subject = "bus"
    if settings.bus_url.startswith("memory:"):
        yield ok(subject, "Within this process: enough for one.")
        return
    client = redis.asyncio.from_url(settings.bus_url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
    try:
        await client.execute_command("PING")  # type: ignore[no-untyped-call]  # `ping` has a wrong type
        yield ok(subject, "Redis answers.")
    except redis.RedisError as error:
        text = f"Redis does not answer ({type(error).__name__}): start it, or correct HUHANG_BUS_URL."
        yield warning(subject, f"{text} Until then events of other processes arrive within a second.")
    finally:
        await client.aclose()


async def check_evidence(settings: Settings) -> Findings:
    subject, name = "evidence", f"doctor-{secrets.token_hex(8)}"
    try:
        store = open_store(settings.evidence_url)
        async with asyncio.timeout(SECONDS):
            await store.put(name, b"")
            await store.remove(name)
    except Exception as error:  # of the system, or of the bucket
        reason = getattr(error, "strerror", None) or type(error).__name__
        yield failure(subject, f"HUHANG_EVIDENCE_URL cannot be written to: {reason}.")
        return
    if missing(settings):
        yield ok(subject, "The store can be written to.")
        return
    database = Database(settings.database_url, pool_size=1)
    try:
        await check_owner(database, store)
        yield ok(subject, "The store can be written to, and belongs to this database.")
    except ForeignStore:
        yield warning(
            subject,
            "The store has evidence of another database, so `collect` removes nothing. After a restore:"
            " python -m web collect --ours",
        )
    except UNREACHABLE:
        yield ok(subject, "The store can be written to.")
    finally:
        await database.close()


async def check_proxy(settings: Settings) -> Findings:
    """Asks the server at HUHANG_PUBLIC_URL as a browser would, if one runs there."""
    url = settings.public_url
    if url is None:
        return
    subject = "proxy"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
            ready = await client.get("/readyz")
            metrics = await client.get("/metrics")
    except httpx.HTTPError as error:
        yield warning(subject, f"{url} does not answer ({type(error).__name__}): start the servers and the proxy.")
        return
    well = True
    for finding in wrong_answers(settings, url, ready, metrics):
        well = False
        yield finding
    if ready.status_code == 421:
        return
    if (reason := await socket_refused(url)) is not None:
        well = False
        yield failure(subject, f"{url} opens no WebSocket ({reason}): the proxy must pass `Upgrade` on.")
    if well:
        yield ok(subject, f"{url} answers as it should.")


def wrong_answers(settings: Settings, url: str, ready: httpx.Response, metrics: httpx.Response) -> list[Finding]:
    subject, host, findings = "proxy", httpx.URL(url).host, []
    if ready.status_code == 421:
        findings.append(failure(subject, f"The server does not know its name {host}: add it to HUHANG_HOSTS."))
    elif ready.status_code != 200:
        findings.append(failure(subject, f"{url}/readyz has status {ready.status_code}: see the server's log."))
    if "x-request-id" not in ready.headers:
        findings.append(warning(subject, f"{url} is not this server, or the proxy removes X-Request-Id."))
    elif url.startswith("https:") and "strict-transport-security" not in ready.headers:
        findings.append(
            failure(
                subject,
                "The server does not learn of TLS, so that nobody can sign in: the proxy must send"
                f" `X-Forwarded-Proto`, and HUHANG_PROXIES ({settings.proxies}) must have its address.",
            )
        )
    if metrics.status_code == 200:
        findings.append(warning(subject, f"{url}/metrics is open to everybody: close it at the proxy."))
    return findings


async def socket_refused(url: str) -> str | None:
    """Why no WebSocket opens; None where one does."""
    address = str(httpx.URL(url).join("/graphql")).replace("http", "ws", 1)
    try:
        async with connect(address, subprotocols=[Subprotocol(PROTOCOL)], open_timeout=SECONDS):
            return None
    except (InvalidHandshake, OSError, TimeoutError) as error:
        return type(error).__name__
