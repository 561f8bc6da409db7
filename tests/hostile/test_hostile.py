"""Nothing that a client sends stops the service: the whole corpus against a real server.

For each case: the answer is one of those expected and never an unexpected error; no connection ends without an answer;
another viewer is answered all the while; the server's memory and its log stay as they were. A sample runs in
`make test`; there another viewer only has to be answered at all, since the machine may be busy.
"""

import asyncio
import gc

import pytest
from graphql import parse, validate

from schema.build import Graph
from tests.hostile.case import Case, Target
from tests.hostile.groups import CORPUS
from tests.hostile.sizes import QUERIES
from tests.hostile.watch import MIB, Seen, Watch
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof

ANSWERED_SECONDS = 1.0  # in a proof; otherwise the machine may be busy
GROWTH = 100 * MIB
# One case in so many runs in `make test`, by group.
SAMPLE = {"bounds": 16}
OTHERS = 4


def chosen(cases: list[Case]) -> list[Case]:
    """The cases that run: all in a proof, else a sample that takes seconds."""
    if PROVING:
        return cases
    return [case for case in cases if not case.long][:: SAMPLE.get(cases[0].group, OTHERS)]


async def faults_of_case(case: Case, target: Target, watch: Watch) -> tuple[list[str], Seen]:
    """The faults of the server in a case, and what another viewer saw of it."""
    with watch.since_now() as seen:
        try:
            async with asyncio.timeout(2 * PATIENCE):
                faults = await case.attack(target)
        except TimeoutError:
            faults = ["the case did not end"]
    faults += seen.faults[:3] + watch.logged_errors()[:3]
    if PROVING and seen.slowest > ANSWERED_SECONDS:
        faults.append(f"another viewer waited {seen.slowest:.1f} s")
    return [f"{case.group}: {case.name}: {fault}" for fault in faults], seen


def test_there_are_at_least_300_cases() -> None:
    assert sum(map(len, CORPUS.values())) >= 300


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_large_query_is_valid(query: str, graph: Graph) -> None:
    """So it is refused for its size, and not for a mistake in the corpus."""
    assert [error.message for error in validate(graph._schema, parse(query))] == []


@pytest.mark.parametrize("group", CORPUS)
async def test_the_service_stands(
    group: str, target: Target, watch: Watch, attacked_url: str, record_proof: RecordProof
) -> None:
    gc.collect()
    cases, faults = chosen(CORPUS[group]), list[str]()
    before, requests = watch.memory(), target.requests
    slowest, memory = 0.0, before
    for case in cases:
        faults_of_one, seen = await faults_of_case(case, target, watch)
        faults += faults_of_one
        if seen.memory > max(memory, before + GROWTH):
            faults.append(f"{group}: {case.name}: the memory grew to {(seen.memory - before) / MIB:.0f} MiB more")
        slowest, memory = max(slowest, seen.slowest), max(memory, seen.memory)
    assert not faults, "\n".join(faults)
    database = "SQLite" if "sqlite" in attacked_url else "PostgreSQL"
    row = {
        "group": f"{database}, {group}",
        "cases": len(cases),
        "requests": f"{target.requests - requests:,}",
        "longest wait of another viewer": f"{slowest * 1000:,.0f} ms",
        "growth of memory": f"{(memory - before) / MIB:.0f} MiB",
    }
    record_proof("hostile", "The hostile corpus", row)
