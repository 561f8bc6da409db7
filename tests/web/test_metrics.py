"""The counters of plans, in Prometheus's text format."""

import re
from collections import Counter

import httpx
import pytest

from resolvers.access_log import AccessLog
from schema.plan.cache import PlanRunner
from tests.conftest import NOW, Databases
from tests.web.conftest import SECRET, talking
from web.metrics import escape, metrics
from web.settings import Settings

pytestmark = pytest.mark.database_independent

LINE = re.compile(r'([a-z_]+)(?:\{(?:reason|le|check|name)="((?:[^"\\\n]|\\["\\n])*)"\})? (\d+(?:\.\d+)?)')


async def counters(client: httpx.AsyncClient) -> Counter[tuple[str, str]]:
    """The values by name and reason. Every line must be valid."""
    response = await client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = response.text.splitlines(keepends=True)
    assert all(line.endswith("\n") for line in lines)
    values: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if not line.startswith("# "):
            sample = LINE.fullmatch(line.rstrip("\n"))
            assert sample is not None, line
            values[sample[1], sample[2] or ""] = int(float(sample[3]))
    return values


async def test_operations_by_plan_and_by_graphql_core_are_counted(databases: Databases, demo_url: str) -> None:
    settings = Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET)
    async with talking(settings) as client:
        before = await counters(client)
        for query in ["{ zones { name } }"] * 3 + ["{ hazards(first: -1) { totalCount } }"] * 2:
            await client.post("/graphql", json={"query": query})
        after = await counters(client)
    assert after["huhang_plans_served_total", ""] - before["huhang_plans_served_total", ""] == 3
    difference = after - before
    assert sum(times for (name, _), times in difference.items() if name == "huhang_plans_left_total") == 2


def test_a_reason_is_escaped_as_the_format_requires() -> None:
    assert escape('a"b\\c\nd') == 'a\\"b\\\\c\\nd'
    access_log = AccessLog(object(), lambda: NOW, days=1)  # type: ignore[arg-type]  # nothing is written
    assert "plans" not in metrics(None, access_log)
    assert "huhang_accesses_dropped_total 0\n" in metrics(None, access_log)
    plans = PlanRunner(object(), sqlite=True, answer_limit=1)  # type: ignore[arg-type]  # nothing is read
    plans.left['odd "one"\n'] += 1
    assert 'huhang_plans_left_total{reason="odd \\"one\\"\\n"} 1\n' in metrics(plans, access_log)
