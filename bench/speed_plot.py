"""The plot of bench.speed: the requests a second of each server, with a panel for each query."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.speed_report import Part, clients_label, rounded
from bench.speed_servers import Server

OWN, OTHER = "#c0392b", "#8395a7"
COLUMNS = 2
# Equal figures give equal files, and text stays text.
mpl.rcParams.update({"svg.hashsalt": "huhang", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})


def draw(results: Part, servers: dict[str, Server], file: Path) -> None:
    """Draw bars for the greatest number of clients. Each panel has its own scale, from zero."""
    panels_of = {name: costs for name, costs in results.items() if len({server for server, _ in costs}) > 1}
    count = max(count for _, count in next(iter(results.values())))
    rows = -(-len(panels_of) // COLUMNS)
    figure = Figure(figsize=(10, 0.6 + rows * (0.5 + 0.24 * len(servers))), layout="constrained")
    figure.suptitle(f"Requests a second, {clients_label(count)}; one process for each server, one PostgreSQL")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for panel, (name, costs) in zip(panels, panels_of.items(), strict=False):
        measured = [server for server in servers if (server, count) in costs]
        values = [costs[server, count].per_second for server in measured]
        bars = panel.barh(
            [servers[server].title for server in measured],
            values,
            color=[OWN if servers[server].own else OTHER for server in measured],
        )
        panel.bar_label(bars, [rounded(value) for value in values], padding=3)
        panel.invert_yaxis()
        panel.set_title(name, loc="left", fontweight="bold")
        panel.set_xlim(0, max(values) * 1.15)
        panel.xaxis.set_visible(False)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.tick_params(length=0)
    for panel in panels:  # those without a query
        panel.set_axis_off()
    figure.savefig(file, metadata={"Date": None})
