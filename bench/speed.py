"""Compares Huhang with its peers: the same queries to each over HTTP, on the same database and machine.

`python -m bench.speed [--seconds 5] [--rounds 5] [--folder FOLDER]` runs everything, which takes about an hour on a
machine that should be quiet. `--queries headline,small`, `--servers huhang,mercurius` or `--parts peers` runs a part
and prints it. A folder keeps the databases for later runs, because seeding 200,000 enterprises takes minutes.

Before a query is timed, all servers must give the same answer to it, apart from the form of their schemas.
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

BEHIND = 800  # pages before the measured one, of the 949 that 2,000 enterprises have
FAR_BEHIND = 4_000  # pages, with a hundred times as many enterprises
STEP = 1_000  # rows at a time on the way to that page
PARTS = ("peers", "sqlite", "growth")
SQLITE_QUERIES = ("headline", "small", "page")
RESULTS = Path(__file__).parent / "results"


@dataclass
class Cost:
    """The cost of a request, and how many requests there were.

    Latencies `p50` and `p99`, and the CPU of `server`, `database` and the load (`client`), are in milliseconds. `size`
    are the bytes of the response's body.
    """

    per_second: float
    p50: float
    p99: float
    server: float
    database: float
    size: float
    requests: float
    client: float


@dataclass
class PreparedQuery:
    """A query for a server, with the bytes of its requests."""

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


def measure_once(prepared: PreparedQuery, clients: int, seconds: float, database: PostgreSQL) -> Cost:
    """Run one load, and measure the CPU of server, database and load."""
    before = prepared.server.cpu(), database.cpu(), own_cpu()
    load = drive(prepared.server.port, prepared.requests, clients, seconds)
    after = prepared.server.cpu(), database.cpu(), own_cpu()
    return cost(load, *(b - a for a, b in zip(before, after, strict=True)))


def own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def prepare(server: Running, query: Query, behind: int = BEHIND) -> tuple[PreparedQuery, list[bytes]]:
    """Prepare a query for a server. Returns also its normalized answers."""
    dialect = server.server.dialect
    text, variables = query.texts[dialect], query.variables(dialect)
    if query.paged:
        variables = [{"first": PAGE, "after": cursor(server, text, behind)}]
    answers = [canonical(server.ask(text, values)) for values in variables]
    requests = [request(server.port, body(text, values), server.headers) for values in variables]
    return PreparedQuery(server, query, requests), answers


def cursor(server: Running, text: str, behind: int) -> str | None:
    """The cursor at the end of so many pages, as the server gives it."""
    after, remaining = None, behind * PAGE
    while remaining:
        [page] = server.ask(text, {"first": min(STEP, remaining), "after": after}).values()
        after, remaining = page["pageInfo"]["endCursor"], remaining - min(STEP, remaining)
        assert page["pageInfo"]["hasNextPage"], "there are not so many pages: seed more enterprises"
    return after


def prepare_all(name: str, query: Query, servers: list[Running], folder: Path) -> list[PreparedQuery]:
    """Prepare a query for each server whose dialect has it. Exits if two servers give different answers."""
    all_prepared: list[PreparedQuery] = []
    first: list[bytes] | None = None
    for server in servers:
        if server.server.dialect not in query.texts:
            continue
        prepared, answers = prepare(server, query)
        all_prepared.append(prepared)
        first = first or answers
        for expected, answer in zip(first, answers, strict=True):
            if expected != answer:
                reference = all_prepared[0].server.name
                files = folder / f"{name}-{reference}.json", folder / f"{name}-{server.name}.json"
                files[0].write_bytes(expected)
                files[1].write_bytes(answer)
                sys.exit(f"{name}: {reference} and {server.name} give different answers: {files[0]}, {files[1]}")
    return all_prepared


def measure_query(queries: list[PreparedQuery], arguments: Any, database: PostgreSQL) -> dict[tuple[str, int], Cost]:
    """The median of the rounds by server and number of clients.

    Servers take turns, so that other load on the machine affects all of them alike.
    """
    costs: dict[tuple[str, int], list[Cost]] = {(q.server.name, c): [] for q in queries for c in arguments.clients}
    for query in queries:
        drive(query.server.port, query.requests, max(arguments.clients), arguments.warm)
    for number in range(arguments.rounds):
        turn = number % len(queries)
        for clients in arguments.clients:
            for query in queries[turn:] + queries[:turn]:
                costs[query.server.name, clients].append(measure_once(query, clients, arguments.seconds, database))
    return {key: median(rounds) for key, rounds in costs.items()}


def measure_all(
    names: list[str], servers: dict[str, Server], url: str, arguments: Any, database: PostgreSQL, folder: Path
) -> dict[str, dict[tuple[str, int], Cost]]:
    """The costs of each query on each server."""
    results = {}
    with ExitStack() as stack:
        started = [stack.enter_context(running(name, server, url, folder)) for name, server in servers.items()]
        for name in names:
            queries = prepare_all(name, QUERIES[name], started, folder)
            results[name] = measure_query(queries, arguments, database)
            print(
                f"{name}, {url.partition(':')[0]}:",
                *speed_report.table(results[name], servers),
                "",
                sep="\n",
                flush=True,
            )
    return results


def demo(database: PostgreSQL) -> str:
    """The database that all servers share. It is seeded for today, because portraits look back from today."""
    return database.demo(ENTERPRISES, f"_of_{dt.datetime.now(dt.UTC):%Y_%m_%d}")


def measure_growth(arguments: Any, database: PostgreSQL, folder: Path) -> dict[str, dict[str, float]]:
    """Medians in milliseconds by number of enterprises and query, of Huhang alone with one client."""
    medians: dict[str, dict[str, float]] = {}
    sizes = {f"{ENTERPRISES:,}": demo(database), f"{arguments.growth:,}": database.demo(arguments.growth)}
    with ExitStack() as stack:
        queries: dict[tuple[str, str], PreparedQuery] = {}
        for size, name in sizes.items():
            server = stack.enter_context(running(f"huhang-{name}", SERVERS["huhang"], database.url(name), folder))
            queries[size, "headline"] = prepare(server, QUERIES["headline"])[0]
            for behind in (0, BEHIND, FAR_BEHIND) if size == f"{arguments.growth:,}" else (0, BEHIND):
                queries[size, f"page {behind + 1:,}"] = prepare(server, QUERIES["page"], behind)[0]
        for query in queries.values():
            drive(query.server.port, query.requests, 1, arguments.warm)
        rounds: dict[tuple[str, str], list[float]] = {key: [] for key in queries}
        for _ in range(arguments.rounds):
            for key, query in queries.items():
                rounds[key].append(measure_once(query, 1, arguments.seconds, database).p50)
        for (size, name), values in rounds.items():
            medians.setdefault(size, {})[name] = statistics.median(values)
    print(*speed_report.growth(medians), sep="\n", flush=True)
    return medians


def measure_load(arguments: Any, database: PostgreSQL, folder: Path) -> Cost:
    """The cost of the load itself, measured with a server of static bytes."""
    static = Server("static bytes", "static", (sys.executable, "-m", "bench.peers.static", "{port}"))
    with running("static", static, "", folder) as server:
        query = PreparedQuery(server, QUERIES["small"], [request(server.port, body("{ enterprise { name } }", {}), {})])
        return measure_once(query, max(arguments.clients), arguments.seconds, database)


def main(arguments: Any, folder: Path) -> None:
    if arguments.whole:
        # The plot needs packages that parts do not. Without them, fail now and not in an hour.
        from bench import speed_plot
    servers = {name: SERVERS[name] for name in arguments.servers or SERVERS}
    for server in servers.values():
        install(server)
    results: dict[str, Any] = {}
    with postgresql(folder / "pg") as database:
        load = measure_load(arguments, database, folder)
        print(f"The load itself: {load.per_second:,.0f} requests a second, {1000 * load.client:.1f} µs of CPU each")
        if "peers" in arguments.parts:
            url = database.url(demo(database))
            names = arguments.queries or list(QUERIES)
            results["peers"] = measure_all(names, servers, url, arguments, database, folder)
        if "sqlite" in arguments.parts:
            url = sqlite(folder / f"demo_{ENTERPRISES}.db", ENTERPRISES)
            only = {name: server for name, server in servers.items() if server.own}
            names = [name for name in SQLITE_QUERIES if name in (arguments.queries or QUERIES)]
            results["sqlite"] = measure_all(names, only, url, arguments, database, folder)
        if "growth" in arguments.parts:
            results["growth"] = measure_growth(arguments, database, folder)
        version = database.value("SHOW server_version")
    if arguments.whole:
        speed_plot.draw(results["peers"], servers, arguments.results / speed_report.PLOT)
        text = speed_report.report(results, servers, arguments, load, version, versions())
        (arguments.results / "speed.md").write_text(text)


def names_among(known: Collection[str]) -> Callable[[str], list[str]]:
    """A reader of names separated by commas. It raises ArgumentTypeError for a name that is not known."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)} among {', '.join(known)}")
        return names

    return read


def parse_arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="of each load")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", type=float, default=2, help="seconds of load before the first round")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--queries", type=names_among(QUERIES), help=f"some of {','.join(QUERIES)}")
    parser.add_argument("--servers", type=names_among(SERVERS), help=f"some of {','.join(SERVERS)}")
    parser.add_argument("--parts", type=names_among(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--growth", type=int, default=200_000, help="enterprises of the large database")
    parser.add_argument("--folder", type=Path, help="keeps the databases for later runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for the report of a whole run")
    arguments = parser.parse_args()
    arguments.whole = not (arguments.queries or arguments.servers or arguments.parts)
    arguments.parts = arguments.parts or (list(PARTS) if arguments.whole else ["peers"])
    return arguments


if __name__ == "__main__":
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="huhang-") as name:
        os.chmod(name, 0o755)  # if this runs as root, PostgreSQL's own user must be able to enter
        folder = (arguments.folder or Path(name)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        main(arguments, folder)
