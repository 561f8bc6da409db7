"""How fast the graph is beside its peers: the same questions to each over HTTP, on the same database and machine.

`python -m bench.speed [--seconds 5] [--rounds 5] [--folder PLACE]` is the whole, of about an hour, for which the
machine should be quiet. `--queries headline,small`, `--servers huhang,mercurius` or `--parts peers` runs a part and
prints it. A folder keeps the databases for the next time: to seed 200,000 enterprises takes minutes.

Before a query is timed, every server must give the same answer to it, up to the shape of its own schema.
"""

import argparse
import datetime as dt
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from bench import speed_report
from bench.speed_data import ENTERPRISES, PostgreSQL, postgresql, sqlite
from bench.speed_load import Load, drive, request
from bench.speed_queries import PAGE, QUERIES, Query, canonical
from bench.speed_servers import SERVERS, Running, Server, body, install, running, versions

BEHIND = 800  # pages before the one that is far behind, of the 949 that 2,000 enterprises have
FAR_BEHIND = 4_000  # where there are a hundred times as many
STEP = 1_000  # rows at a time on the way there
PARTS = ("peers", "sqlite", "growth")
SQLITE_QUERIES = ("headline", "small", "page")
RESULTS = Path(__file__).parent / "results"


@dataclass
class Cost:
    """What a request cost: its latency, and the CPU that server, database and the load itself took, in milliseconds;
    the bytes of its answer's body. And how many requests there were, in all and a second."""

    per_second: float
    p50: float
    p99: float
    server: float
    database: float
    size: float
    requests: float
    client: float


@dataclass
class Asked:
    """A query put to a server, with all that its requests need."""

    server: Running
    query: Query
    requests: list[bytes]


def median(rounds: list[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*map(astuple, rounds), strict=True)))


def cost(load: Load, server: float, database: float, client: float) -> Cost:
    count = len(load.sizes)
    ranked = sorted(load.milliseconds)
    each = 1000 / count
    return Cost(
        count / load.seconds,
        statistics.median(ranked),
        ranked[min(count - 1, count * 99 // 100)],
        each * server,
        each * database,
        statistics.fmean(load.sizes),
        count,
        each * client,
    )


def once(asked: Asked, clients: int, seconds: float, database: PostgreSQL) -> Cost:
    """One load, with what CPU was taken meanwhile."""
    before = asked.server.cpu(), database.cpu(), own()
    load = drive(asked.server.port, asked.requests, clients, seconds)
    after = asked.server.cpu(), database.cpu(), own()
    return cost(load, *(b - a for a, b in zip(before, after, strict=True)))


def own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def prepare(server: Running, query: Query, behind: int = BEHIND) -> tuple[Asked, list[bytes]]:
    """A query for a server, and its answers in the common shape."""
    dialect = server.server.dialect
    text, variables = query.texts[dialect], query.variables(dialect)
    if query.paged:
        variables = [{"first": PAGE, "after": cursor(server, text, behind)}]
    answers = [canonical(server.ask(text, values)) for values in variables]
    requests = [request(server.port, body(text, values), server.headers) for values in variables]
    return Asked(server, query, requests), answers


def cursor(server: Running, text: str, behind: int) -> str | None:
    """Where so many pages end, as the server itself says it."""
    after, left = None, behind * PAGE
    while left:
        [page] = server.ask(text, {"first": min(STEP, left), "after": after}).values()
        after, left = page["pageInfo"]["endCursor"], left - min(STEP, left)
        assert page["pageInfo"]["hasNextPage"], "no page is so far behind: seed more enterprises"
    return after


def agreed(name: str, query: Query, servers: list[Running], folder: Path) -> list[Asked]:
    """The query for each server that can be asked it. Ends the program where two answer differently."""
    asked, first = [], None
    for server in servers:
        if server.server.dialect not in query.texts:
            continue
        made, answers = prepare(server, query)
        asked.append(made)
        first = first or answers
        for one, other in zip(first, answers, strict=True):
            if one != other:
                pair = folder / f"{name}-{asked[0].server.name}.json", folder / f"{name}-{server.name}.json"
                pair[0].write_bytes(one)
                pair[1].write_bytes(other)
                sys.exit(f"{name}: {asked[0].server.name} and {server.name} answer differently: {pair[0]}, {pair[1]}")
    return asked


def timed(asked: list[Asked], given: Any, database: PostgreSQL) -> dict[tuple[str, int], Cost]:
    """By server and number of clients, the median of the rounds. Servers take turns, so that what else the machine
    does meets all alike."""
    found: dict[tuple[str, int], list[Cost]] = {(a.server.name, c): [] for a in asked for c in given.clients}
    for one in asked:
        drive(one.server.port, one.requests, max(given.clients), given.warm)
    for number in range(given.rounds):
        turn = number % len(asked)
        for clients in given.clients:
            for one in asked[turn:] + asked[:turn]:
                found[one.server.name, clients].append(once(one, clients, given.seconds, database))
    return {key: median(rounds) for key, rounds in found.items()}


def measured(
    names: list[str], servers: dict[str, Server], url: str, given: Any, database: PostgreSQL, folder: Path
) -> dict[str, dict[tuple[str, int], Cost]]:
    """By query, what it cost on each server."""
    found = {}
    with ExitStack() as stack:
        up = [stack.enter_context(running(name, server, url, folder)) for name, server in servers.items()]
        for name in names:
            found[name] = timed(agreed(name, QUERIES[name], up, folder), given, database)
            print(
                f"{name}, {url.partition(':')[0]}:", *speed_report.table(found[name], servers), "", sep="\n", flush=True
            )
    return found


def demo(database: PostgreSQL) -> str:
    """The database that all servers share: of today, since portraits look back from today."""
    return database.demo(ENTERPRISES, f"_of_{dt.datetime.now(dt.UTC):%Y_%m_%d}")


def growth(given: Any, database: PostgreSQL, folder: Path) -> dict[str, dict[str, float]]:
    """By number of enterprises, medians of milliseconds for one client, of Huhang alone."""
    found: dict[str, dict[str, float]] = {}
    sizes = {f"{ENTERPRISES:,}": demo(database), f"{given.growth:,}": database.demo(given.growth)}
    with ExitStack() as stack:
        asked: dict[tuple[str, str], Asked] = {}
        for size, name in sizes.items():
            server = stack.enter_context(running(f"huhang-{name}", SERVERS["huhang"], database.url(name), folder))
            asked[size, "headline"] = prepare(server, QUERIES["headline"])[0]
            for behind in (0, BEHIND, FAR_BEHIND) if size == f"{given.growth:,}" else (0, BEHIND):
                asked[size, f"page {behind + 1:,}"] = prepare(server, QUERIES["page"], behind)[0]
        for one in asked.values():
            drive(one.server.port, one.requests, 1, given.warm)
        rounds: dict[tuple[str, str], list[float]] = {key: [] for key in asked}
        for _ in range(given.rounds):
            for key, one in asked.items():
                rounds[key].append(once(one, 1, given.seconds, database).p50)
        for (size, what), values in rounds.items():
            found.setdefault(size, {})[what] = statistics.median(values)
    print(*speed_report.growth(found), sep="\n", flush=True)
    return found


def ceiling(given: Any, database: PostgreSQL, folder: Path) -> Cost:
    """What the load itself can do: against bytes that are ready."""
    static = Server("static bytes", "static", (sys.executable, "-m", "bench.peers.static", "{port}"))
    with running("static", static, "", folder) as server:
        asked = Asked(server, QUERIES["small"], [request(server.port, body("{ enterprise { name } }", {}), {})])
        return once(asked, max(given.clients), given.seconds, database)


def main(given: Any, folder: Path) -> None:
    if given.whole:
        # The plot needs packages that a run of a part does without; missed now, not in an hour.
        from bench import speed_plot
    servers = {name: SERVERS[name] for name in given.servers or SERVERS}
    for server in servers.values():
        install(server)
    found: dict[str, Any] = {}
    with postgresql(folder / "pg") as database:
        load = ceiling(given, database, folder)
        print(f"The load itself: {load.per_second:,.0f} requests a second, {1000 * load.client:.1f} µs of CPU each")
        if "peers" in given.parts:
            url = database.url(demo(database))
            found["peers"] = measured(given.queries or list(QUERIES), servers, url, given, database, folder)
        if "sqlite" in given.parts:
            url = sqlite(folder / f"demo_{ENTERPRISES}.db", ENTERPRISES)
            only = {name: server for name, server in servers.items() if server.own}
            names = [name for name in SQLITE_QUERIES if name in (given.queries or QUERIES)]
            found["sqlite"] = measured(names, only, url, given, database, folder)
        if "growth" in given.parts:
            found["growth"] = growth(given, database, folder)
        version = database.say("SHOW server_version")
    if given.whole:
        speed_plot.draw(found["peers"], servers, given.results / speed_report.PLOT)
        text = speed_report.report(found, servers, given, load, version, versions())
        (given.results / "speed.md").write_text(text)


def several(of: Collection[str]) -> Callable[[str], list[str]]:
    """Reads a list with commas of some of these names. What it makes raises ArgumentTypeError for any other name."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in of]:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)} among {', '.join(of)}")
        return names

    return read


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="of each load")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", type=float, default=2, help="seconds of load before the first round")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--queries", type=several(QUERIES), help=f"some of {','.join(QUERIES)}")
    parser.add_argument("--servers", type=several(SERVERS), help=f"some of {','.join(SERVERS)}")
    parser.add_argument("--parts", type=several(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--growth", type=int, default=200_000, help="enterprises of the large database")
    parser.add_argument("--folder", type=Path, help="where databases are kept; without it they are not")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the report of a whole run goes")
    given = parser.parse_args()
    given.whole = not (given.queries or given.servers or given.parts)
    given.parts = given.parts or (list(PARTS) if given.whole else ["peers"])
    return given


if __name__ == "__main__":
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="huhang-") as name:
        os.chmod(name, 0o755)  # PostgreSQL's own user must be able to pass, where this runs as root
        place = (given.folder or Path(name)).resolve()
        place.mkdir(parents=True, exist_ok=True)
        main(given, place)
