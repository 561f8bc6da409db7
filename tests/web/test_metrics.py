"""Metrics of operations, mutations, refusals, streams, the database and the process."""

import asyncio
import re
from collections import Counter

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from models import metrics
from models.byte_cache import CACHE_BYTES_MINIMUM, FIXED_BYTES, shares
from resolvers.sql.prepared import STATEMENTS
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.tokens import NAMED, TOKENS
from tests.web.conftest import SECRET, talking
from web.metrics import Carried, build, version
from web.settings import ROOT, Settings

Sample = tuple[str, frozenset[tuple[str, str]]]


def named(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


async def samples(client: httpx.AsyncClient) -> dict[Sample, float]:
    """All samples of the application. Every line must be valid."""
    response = await client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def grown(before: dict[Sample, float], after: dict[Sample, float], name: str) -> Counter[frozenset[tuple[str, str]]]:
    """By labels, how much the samples of a name have grown."""
    differences = {
        labels: value - before.get((key, labels), 0) for (key, labels), value in after.items() if key == name
    }
    return Counter({labels: int(number) for labels, number in differences.items() if number})


async def test_operations_are_counted_by_name_kind_and_outcome(databases: Databases, demo_url: str) -> None:
    settings = Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET)
    async with talking(settings) as client:
        before = await samples(client)
        for query in ["query Wall { zones { name } }"] * 3 + ["query Secret { zones { name } }", "{ zones { name } }"]:
            assert "errors" not in (await client.post("/graphql", json={"query": query})).json()
        for query in ["{ hazards(first: -1) { totalCount } }"] * 2:
            await client.post("/graphql", json={"query": query})
        await client.post("/graphql", json={"query": "{ no"})
        await client.post("/graphql", json={"query": "{ zones { name } }"}, headers={"authorization": "Bearer none"})
        after = await samples(client)
    counted = grown(before, after, "huhang_operation_seconds_count")
    known = "Wall" if (ROOT / "web/ui/dist/pages/documents.json").is_file() else "other"
    expected = Counter[frozenset[tuple[str, str]]]()
    for name, outcome, number in ((known, "ok", 3), ("other", "ok", 2), ("other", "errors", 2)):
        expected[frozenset({("operation", name), ("kind", "query"), ("outcome", outcome)})] += number
    assert counted == expected
    codes = {dict(labels)["code"]: n for labels, n in grown(before, after, "huhang_errors_total").items()}
    assert codes == {"BAD_PAGE": 2, "BAD_DOCUMENT": 1, "UNAUTHENTICATED": 1}
    tokens = grown(before, after, "huhang_refused_tokens_total")
    assert tokens == {frozenset({("reason", "NOT_A_TOKEN")}): 1}
    assert grown(before, after, "huhang_plans_served_total").total() == 5
    assert grown(before, after, "huhang_plans_left_total").total() == 2


async def test_mutations_are_counted_by_name_and_result(databases: Databases, demo_url: str) -> None:
    settings = Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET)
    async with talking(settings) as client:
        before = await samples(client)
        issue = 'mutation { warningIssue(input: { kind: RAINSTORM, level: RED, headline: "%s" }) { __typename } }'
        answers = []
        for headline in ("Rain", "\\u0000"):
            query = {"query": issue % headline}
            response = await client.post(
                "/graphql", json=query, headers={"authorization": f"Bearer {TOKENS.make(NAMED)}"}
            )
            answers.append(response.json()["data"]["warningIssue"]["__typename"])
        last = named("huhang_last_event_timestamp_seconds")
        async with asyncio.timeout(PATIENCE):
            while (after := await samples(client))[last] == before[last]:  # until the feed has read the event
                await asyncio.sleep(0.01)
    assert answers == ["WarningIssued", "InvalidInput"]
    counted = {dict(labels)["outcome"]: n for labels, n in grown(before, after, "huhang_mutations_total").items()}
    assert counted == {"ok": 1, "InvalidInput": 1}
    locks = {dict(labels)["lock"] for labels in grown(before, after, "huhang_lock_wait_seconds_count")}
    assert locks == ({"turn", "file"} if settings.database_url.startswith("sqlite") else {"log"})
    assert (
        after[named("huhang_last_event_timestamp_seconds")] > before[named("huhang_last_event_timestamp_seconds")] > 0
    )


async def test_the_process_and_the_pools_are_measured(databases: Databases, demo_url: str) -> None:
    settings = Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET, build="of the tests")
    async with talking(settings) as client:
        now = await samples(client)
    assert now[named("huhang_build_info", version=version(), build="of the tests")] == 1
    assert now[named("huhang_processes")] == 1
    assert 3 < now[named("huhang_open_files")] < now[named("huhang_open_files_limit")]
    assert now[named("huhang_memory_bytes")] > 10e6
    assert now[named("huhang_cpu_seconds_total")] > 0
    assert 0 <= now[named("huhang_feed_lag_seconds")] < 60
    assert now[named("huhang_notifier_listening")] in (0, 1)
    size = 10 if settings.database_url.startswith("sqlite") else 5
    assert now[named("huhang_pool_size", pool="transactions")] == size
    for name in ("sockets", "streams", "subscriptions", "waiting", "accesses_pending"):
        assert now[named(f"huhang_{name}")] == 0
    for of in ("events", "states"):
        assert now[named("huhang_groups", of=of)] == 0


async def test_the_reference_lists_every_metric() -> None:
    reference = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    listed = re.findall(r"^\| `(huhang_\w+)", reference, re.MULTILINE)
    families = list(metrics.REGISTRY.collect())
    existing = [f"{family.name}_total" if family.type == "counter" else family.name for family in families]
    assert sorted(listed) == sorted(existing)


def test_a_count_of_elsewhere_is_carried_over_once() -> None:
    carried, name = Carried(metrics.REFUSED), "huhang_refused_total"

    def value() -> float:
        return metrics.REGISTRY.get_sample_value(name, {"reason": 'odd "one"\n'}) or 0

    before = value()
    for count in (2, 2, 5):
        carried.carry({'odd "one"\n': count})
    assert value() - before == 5
    assert 'huhang_refused_total{reason="odd \\"one\\"\\n"}' in metrics.exposition().decode()


def test_durations_become_a_histogram_s_observations() -> None:
    """Holds the undocumented names of prometheus-client."""
    child = metrics.OPERATIONS.labels("other", "query", "test")
    durations = metrics.Durations(child)
    for seconds in (0.0005, 0.001, 0.0011, 99.0):
        durations.observe(seconds)
    durations.carry()
    durations.carry()
    labels = {"operation": "other", "kind": "query", "outcome": "test"}
    buckets = [
        metrics.REGISTRY.get_sample_value("huhang_operation_seconds_bucket", {**labels, "le": le})
        for le in ("0.001", "0.0025", "10.0", "+Inf")
    ]
    assert buckets == [2, 3, 3, 4]
    total = metrics.REGISTRY.get_sample_value("huhang_operation_seconds_sum", labels)
    assert total == pytest.approx(99.0026)


def test_a_checkout_s_build_is_its_commit() -> None:
    assert build("mine") == "mine"
    assert re.fullmatch(r"[0-9a-f]{12}(-dirty)?|unknown", build(None))


async def test_waits_for_connections_are_counted(databases: Databases, migrated_url: str) -> None:
    async with databases.copy(migrated_url) as database:
        size = database.pool_use()["transactions"].size
        release, begun = asyncio.Event(), 0

        async def read() -> None:
            nonlocal begun
            async with database.read():
                begun += 1
                await release.wait()

        async with asyncio.TaskGroup() as group:
            for _ in range(size + 3):
                group.create_task(read())
            while begun < size:
                await asyncio.sleep(0)
            assert database.pool_use()["transactions"] == (size, size, 3)
            release.set()
        assert database.pool_use()["transactions"] == (size, 0, 0)


async def test_caches_that_are_full_stay_within_the_setting(databases: Databases, demo_url: str) -> None:
    fields = " ".join(f"x{n}: name" for n in range(150))
    url, part = await databases.new(demo_url), shares(CACHE_BYTES_MINIMUM)
    settings = Settings(database_url=url, demo=True, secret=SECRET, cache_bytes=CACHE_BYTES_MINIMUM)
    before = STATEMENTS.maximum
    try:
        async with talking(settings) as client:
            evicted = (await samples(client)).get(named("huhang_cache_evictions_total", cache="documents"), 0)
            for number in range(40):
                some = f"enterprises(first: {number % 9 + 1}) {{ nodes {{ id name }} }}"
                query = f"{{ z{number}: zones {{ {fields} {some} }} }}"
                assert "errors" not in (await client.post("/graphql", json={"query": query})).json()
            after = await samples(client)
    finally:
        STATEMENTS.maximum = before
    kept = {name: after[named("huhang_cache_bytes", cache=name)] for name in vars(part)}
    assert all(kept[name] <= most for name, most in vars(part).items())
    assert 0.8 * part.documents < kept["documents"]
    assert sum(kept.values()) + FIXED_BYTES <= CACHE_BYTES_MINIMUM
    entries = after[named("huhang_cache_entries", cache="documents")]
    assert entries + after[named("huhang_cache_evictions_total", cache="documents")] - evicted == 40
    assert entries < 40
