"""The plot of the speed bench: requests a second of each server, a panel for each query."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.speed_report import Part, many, rounded
from bench.speed_servers import Server

OWN, OTHER = "#c0392b", "#8395a7"
COLUMNS = 2
# The same figures make the same file; and letters stay letters.
mpl.rcParams.update({"svg.hashsalt": "huhang", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})


def draw(found: Part, servers: dict[str, Server], file: Path) -> None:
    """Bars from zero, each panel with a scale of its own, with the most clients."""
    asked = {name: costs for name, costs in found.items() if len({server for server, _ in costs}) > 1}
    count = max(count for _, count in next(iter(found.values())))
    rows = -(-len(asked) // COLUMNS)
    figure = Figure(figsize=(10, 0.6 + rows * (0.5 + 0.24 * len(servers))), layout="constrained")
    figure.suptitle(f"Requests a second, {many(count)}; one process for each server, one PostgreSQL")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for panel, (name, costs) in zip(panels, asked.items(), strict=False):
        there = [server for server in servers if (server, count) in costs]
        values = [costs[server, count].per_second for server in there]
        bars = panel.barh(
            [servers[server].title for server in there],
            values,
            color=[OWN if servers[server].own else OTHER for server in there],
        )
        panel.bar_label(bars, [rounded(value) for value in values], padding=3)
        panel.invert_yaxis()
        panel.set_title(name, loc="left", fontweight="bold")
        panel.set_xlim(0, max(values) * 1.15)
        panel.xaxis.set_visible(False)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.tick_params(length=0)
    for panel in panels:  # those left over
        panel.set_axis_off()
    figure.savefig(file, metadata={"Date": None})
