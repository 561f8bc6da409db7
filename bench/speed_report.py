"""What the speed bench found, as Markdown."""

from typing import Any


def table(found: Any, servers: Any) -> list[str]:
    """One query: a line for each server. CPU and bytes are of the greatest number of clients."""
    clients = sorted({count for _, count in found})
    heads = [f"{many(c)}: requests/s | p50 ms | p99 ms" for c in clients]
    lines = [
        f"| server | {' | '.join(heads)} | CPU ms, server | CPU ms, database | bytes |",
        f"|---|{'---|---|---|' * len(clients)}---|---|---|",
    ]
    for name, server in servers.items():
        if (name, clients[-1]) not in found:
            lines.append(f"| {server.title} | {'– | – | – | ' * len(clients)}– | – | – |")
            continue
        cells = []
        for count in clients:
            cost = found[name, count]
            cells.append(f"{rounded(cost.per_second)} | {rounded(cost.p50)} | {rounded(cost.p99)}")
        cells.append(f"{rounded(cost.server)} | {rounded(cost.database)} | {cost.size:,.0f}")
        lines.append(f"| {server.title} | {' | '.join(cells)} |")
    return lines


def many(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"


def rounded(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def growth(found: dict[str, dict[str, float]]) -> list[str]:
    return [str(found)]


def report(found: Any, servers: Any, given: Any, load: Any, version: str) -> str:
    return ""
