"""What the speed bench found, as Markdown and as a plot."""

import datetime as dt
import os
from typing import Any

from bench import machine
from bench.speed_data import ENTERPRISES
from bench.speed_queries import QUERIES
from bench.speed_servers import Server

# By server and number of clients, what a request cost; by query for a whole part.
Costs = dict[tuple[str, int], Any]
Part = dict[str, Costs]

PLOT = "speed.svg"


def table(found: Costs, servers: dict[str, Server], *, database: bool = True) -> list[str]:
    """One query: a line for each server. CPU and bytes are those with the most clients."""
    clients = sorted({count for _, count in found})
    heads = [f"{many(count)}: requests/s | p50 ms | p99 ms" for count in clients]
    last = ["CPU ms, server", *(["CPU ms, PostgreSQL"] if database else []), "bytes"]
    lines = [f"| server | {' | '.join(heads + last)} |", "|---|" + "---|" * (3 * len(clients) + len(last))]
    for name, server in servers.items():
        if (name, clients[-1]) not in found:
            continue
        cells = []
        for count in clients:
            cost = found[name, count]
            cells += [rounded(cost.per_second), rounded(cost.p50), rounded(cost.p99)]
        cells += [rounded(cost.server), *([rounded(cost.database)] if database else []), f"{cost.size:,.0f}"]
        lines.append(f"| {server.title} | {' | '.join(cells)} |")
    return lines


def many(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"


def rounded(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def glance(found: Part, servers: dict[str, Server]) -> list[str]:
    """Requests a second with the most clients, and how many times that Huhang has."""
    count = max(count for _, count in next(iter(found.values())))
    lines = [f"| {many(count)}, requests/s | {' | '.join(found)} |", "|---|" + "---|" * len(found)]
    for name, server in servers.items():
        cells = []
        for costs in found.values():
            cost, own = costs.get((name, count)), costs["huhang", count]
            times = "" if name == "huhang" or cost is None else f" ({rounded(own.per_second / cost.per_second)} ×)"
            cells.append("–" if cost is None else rounded(cost.per_second) + times)
        lines.append(f"| {server.title} | {' | '.join(cells)} |")
    return lines


def growth(found: dict[str, dict[str, float]]) -> list[str]:
    """By number of enterprises and what was asked, medians of milliseconds; the last is the farthest page."""
    small, large = found.values()
    lines = [
        f"| one client, p50 ms | {' | '.join(f'{size} enterprises' for size in found)} | ratio |",
        "|---|---|---|---|",
    ]
    for what, many_more in large.items():
        cells = [rounded(small[what]), rounded(many_more), rounded(many_more / small[what])] if what in small else []
        lines.append(f"| {what} | {' | '.join(cells or ['–', rounded(many_more), '–'])} |")
    ratios = [rounded(list(costs.values())[-1] / costs["page 1"]) for costs in (small, large)]
    return [*lines, f"| the farthest page : page 1 | {' | '.join(ratios)} | |"]


HEAD = """\
# Queries beside peers

The same questions to Huhang and to its peers over HTTP, on one PostgreSQL with the demo of {enterprises} enterprises.
Before a query was timed, every server had given the same answer to it: to the byte, once wrappers of lists, ids and
spellings of times and grades were made one. Huhang is asked by a commander with a token and applies the rights of one;
the peers know neither. Made by `make bench`; this part of it alone is `python -m bench.speed`.

{machine}
- {peers}
- {rounds} rounds of {seconds:g} seconds for each server, query and number of clients, the servers in turns; each figure
  is the median of the rounds
- one process for each server, with 10 connections to the database
- the load comes from the same machine and takes {load_cpu:.0f} µs of CPU a request; against bytes that are ready it
  makes {load_rate:,.0f} requests a second
- run once, on {today}; the load of the machine over the last minutes was {busy:.1f}, and the run itself makes 1 to 2

Huhang's answers are longer by their global ids and the `nodes` of its connections; the peers give plain lists and keys.
Mercurius batches with DataLoader, which costs it less than loaders of its own. Plain Strawberry is async SQLAlchemy
with rows of the ORM and DataLoaders; tuned, it keeps parsed and validated documents, encodes with orjson and lets the
garbage collector run seldom. PostGraphile has no natural way to ask what is nearby, and portraits are Huhang's alone.

![Requests a second with {clients}]({plot})

In parentheses: how many times as much Huhang has.

"""
GROWTH = """\
## Growth

Huhang alone, on PostgreSQL: the headline query, and pages of 20 general hazards near the beginning and far behind it.

"""


def report(found: Any, servers: dict[str, Server], given: Any, load: Any, postgres: str, peers: str) -> str:
    """The whole. `found` has the parts by name; `load` is what the load itself cost against bytes that are ready."""
    own = {name: server for name, server in servers.items() if server.own}
    head = HEAD.format(
        enterprises=f"{ENTERPRISES:,}",
        machine="\n".join(machine.described(PostgreSQL=postgres)),
        peers=peers,
        rounds=given.rounds,
        seconds=given.seconds,
        load_cpu=1000 * load.client,
        load_rate=load.per_second,
        today=dt.datetime.now(dt.UTC).date(),
        busy=os.getloadavg()[2],
        clients=many(max(given.clients)),
        plot=PLOT,
    )
    lines = glance(found["peers"], servers)
    for name, costs in found["peers"].items():
        title = QUERIES[name].title
        lines += ["", f"## {name.capitalize()}", "", f"{title[0].upper()}{title[1:]}.", "", *table(costs, servers)]
    lines += ["", "## On SQLite", "", "Huhang alone, on a file."]
    for name, costs in found["sqlite"].items():
        lines += ["", f"{name.capitalize()}:", "", *table(costs, own, database=False)]
    return "\n".join([head + lines[0], *lines[1:], "", GROWTH + "\n".join(growth(found["growth"])), ""])
