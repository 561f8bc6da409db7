"""The report of bench.speed in Markdown."""

import datetime as dt
import os
from typing import Any

from bench import machine
from bench.speed_data import ENTERPRISES
from bench.speed_queries import QUERIES
from bench.speed_servers import Server

# The cost of a request by server and number of clients, and by query for a whole part of the benchmark.
Costs = dict[tuple[str, int], Any]
Part = dict[str, Costs]

PLOT = "speed.svg"


def table(costs: Costs, servers: dict[str, Server], *, database: bool = True) -> list[str]:
    """A table of one query, with a line for each server. CPU and bytes are those with the most clients."""
    clients = sorted({count for _, count in costs})
    heads = [f"{clients_label(count)}: requests/s | p50 ms | p99 ms" for count in clients]
    last = ["CPU ms, server", *(["CPU ms, PostgreSQL"] if database else []), "bytes"]
    lines = [f"| server | {' | '.join(heads + last)} |", "|---|" + "---|" * (3 * len(clients) + len(last))]
    for name, server in servers.items():
        if (name, clients[-1]) not in costs:
            continue
        cells = []
        for count in clients:
            cost = costs[name, count]
            cells += [rounded(cost.per_second), rounded(cost.p50), rounded(cost.p99)]
        cells += [rounded(cost.server), *([rounded(cost.database)] if database else []), f"{cost.size:,.0f}"]
        lines.append(f"| {server.title} | {' | '.join(cells)} |")
    return lines


def clients_label(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"


def rounded(value: float) -> str:
    """A number with at least three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def overview(results: Part, servers: dict[str, Server]) -> list[str]:
    """Requests a second with the most clients, and by what factor Huhang has more."""
    count = max(count for _, count in next(iter(results.values())))
    lines = [f"| {clients_label(count)}, requests/s | {' | '.join(results)} |", "|---|" + "---|" * len(results)]
    for name, server in servers.items():
        cells = []
        for costs in results.values():
            cost, own = costs.get((name, count)), costs["huhang", count]
            times = "" if name == "huhang" or cost is None else f" ({rounded(own.per_second / cost.per_second)} ×)"
            cells.append("–" if cost is None else rounded(cost.per_second) + times)
        lines.append(f"| {server.title} | {' | '.join(cells)} |")
    return lines


def growth(medians: dict[str, dict[str, float]]) -> list[str]:
    """A table of medians in milliseconds by number of enterprises and query, of which the last is the farthest page."""
    small, large = medians.values()
    lines = [
        f"| one client, p50 ms | {' | '.join(f'{size} enterprises' for size in medians)} | ratio |",
        "|---|---|---|---|",
    ]
    for query, median in large.items():
        cells = [rounded(small[query]), rounded(median), rounded(median / small[query])] if query in small else []
        lines.append(f"| {query} | {' | '.join(cells or ['–', rounded(median), '–'])} |")
    ratios = [rounded(list(costs.values())[-1] / costs["page 1"]) for costs in (small, large)]
    return [*lines, f"| the farthest page : page 1 | {' | '.join(ratios)} | |"]


HEAD = """\
# Queries beside peers

The same queries to Huhang and to its peers over HTTP, on one PostgreSQL with the demo of {enterprises} enterprises.
Before a query was timed, all servers had given the same answer to it: to the byte, after wrappers of lists, ids and the
notation of times and grades had been made equal. Huhang authenticates a commander's token and applies a commander's
rights; the peers do neither. Written by `make bench`, or alone by `python -m bench.speed`.

{machine}
- {peers}
- {rounds} rounds of {seconds:g} seconds for each server, query and number of clients, the servers in turns; each figure
  is the median of the rounds
- one process for each server, with 10 connections to the database
- the load comes from the same machine and takes {load_cpu:.0f} µs of CPU a request; with a server of static bytes it
  makes {load_rate:,.0f} requests a second
- run once, on {today}; the load of the machine over the last minutes was {busy:.1f}, and the run itself makes 1 to 2

Huhang's answers are longer, because of global ids and the `nodes` of its connections; the peers give lists and keys.
Mercurius batches with DataLoader, which costs it less than its own loaders. Plain Strawberry uses async SQLAlchemy with
rows of the ORM and DataLoaders; tuned, it caches parsed and validated documents, encodes with orjson and lets the
garbage collector run seldom. PostGraphile has no natural query for nearby places, and only Huhang has portraits.

![Requests a second with {clients}]({plot})

In parentheses: the factor by which Huhang has more.

"""
GROWTH = """\
## Growth

Huhang alone, on PostgreSQL: the headline query, and pages of 20 general hazards at the beginning and far behind it.

"""


def report(results: Any, servers: dict[str, Server], arguments: Any, load: Any, postgres: str, peers: str) -> str:
    """The whole report. `results` has the parts by name; `load` is the cost of the load itself."""
    own = {name: server for name, server in servers.items() if server.own}
    head = HEAD.format(
        enterprises=f"{ENTERPRISES:,}",
        machine="\n".join(machine.described(PostgreSQL=postgres)),
        peers=peers,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        load_cpu=1000 * load.client,
        load_rate=load.per_second,
        today=dt.datetime.now(dt.UTC).date(),
        busy=os.getloadavg()[2],
        clients=clients_label(max(arguments.clients)),
        plot=PLOT,
    )
    lines = overview(results["peers"], servers)
    for name, costs in results["peers"].items():
        title = QUERIES[name].title
        lines += ["", f"## {name.capitalize()}", "", f"{title[0].upper()}{title[1:]}.", "", *table(costs, servers)]
    lines += ["", "## On SQLite", "", "Huhang alone, on a file."]
    for name, costs in results["sqlite"].items():
        lines += ["", f"{name.capitalize()}:", "", *table(costs, own, database=False)]
    return "\n".join([head + lines[0], *lines[1:], "", GROWTH + "\n".join(growth(results["growth"])), ""])
