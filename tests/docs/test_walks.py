"""The walks of docs/architecture.md name the files that run. `make prove` traces them, which takes a while."""

import re
import subprocess
import sys

import pytest

from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from web.settings import ROOT

LINK = re.compile(r"\]\(\.\./([^)]+\.py)\)")
ROW = re.compile(r"^\| \[[^\]]+\]\(\.\./([^)]+\.py)\) \|", re.MULTILINE)
# By walk: the headings around its tables.
PARTS = {
    "headline, warm": ("### Warm", "### Cold"),
    "headline, cold": ("### Warm", "### Fallback"),
    "inspectionSubmit to a frame": ("### Warm", "## The feed's invariants"),
}
# Small functions, which the page leaves out: the clock, codecs of single values, sizes, turns.
SMALL = {
    "models/db/column_types.py",
    "models/db/read_pool.py",
    "models/db/sqlite_connection.py",
    "models/db/tables.py",
    "models/db/threads.py",
    "models/event.py",
    "models/visibility.py",
    "resolvers/actions/hazards.py",
    "resolvers/errors.py",
    "schema/execution/pace.py",
    "schema/fields/events.py",
    "schema/fields/input_values.py",
    "schema/subscription.py",
    "schema/types/node_id.py",
    "subscriptions/fair_queue.py",
    "web/loop_delay.py",
    "web/state.py",
}
UNTRACED = {
    "resolvers/sql/authorization.py",  # a commander's plan has no conditions
    "schema/execution/paced_executor.py",  # the fallback
    "web/compression.py",  # a mutation's response is short
}


def traced() -> dict[str, set[str]]:
    """The files that run, by walk."""
    command = (sys.executable, "-m", "bench.walks", "--list")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
    files: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        if line in PARTS:
            walk = files.setdefault(line, set())
        elif line.startswith("  "):
            walk.add(line.strip().partition(": ")[0])
    return files


def part(begin: str, end: str) -> str:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    return page[page.index(begin) : page.index(end)]


@pytest.mark.skipif(not PROVING, reason="tracing takes as long as a hundred tests")
def test_the_walks_name_the_files_that_run() -> None:
    files = traced()
    assert files.keys() == PARTS.keys()
    named = {walk: set(LINK.findall(part(*borders))) for walk, borders in PARTS.items()}
    named["headline, warm"] |= named["headline, cold"]  # some of the functions in its tables run each time
    for walk, run in files.items():
        assert run - named[walk] - SMALL - UNTRACED == set(), walk
    # And what is named runs, if not in the walk where it is named then in another.
    warm, cold = (set(ROW.findall(part(*PARTS[name]))) for name in ("headline, warm", "headline, cold"))
    assert warm - files["headline, warm"] - UNTRACED == set()
    assert cold - files["headline, cold"] - UNTRACED == set()
