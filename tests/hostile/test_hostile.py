"""Nothing that a client sends stops the service: the whole corpus against a real server.

For each case: the answer is one of those expected and never an unexpected error; no connection ends without an answer;
another viewer is answered all the while; the server's memory and its log stay as they were. A sample runs in
`make test`; there another viewer only has to be answered at all, since the machine may be busy.
"""

import pytest
from graphql import parse, validate

from schema.build import Graph
from tests.hostile import abandoned, sizes
from tests.hostile.case import Case, Target
from tests.hostile.groups import CORPUS
from tests.hostile.runner import run
from tests.hostile.watch import Watch
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof

# One case in so many runs in `make test`, by group.
SAMPLE = {"bounds": 24, "abandoned": 8, "mixtures": 1}
OTHERS = 4
LONG = 3_000  # characters of a query; checking a longer one takes seconds
LARGE = {**sizes.QUERIES, **{name: query.replace("SIZE", "10") for name, query in abandoned.QUERIES.items()}}


def chosen(group: str) -> list[Case]:
    """The cases that run: all in a proof, else a sample that takes seconds."""
    cases = CORPUS[group]
    return cases if PROVING else [case for case in cases if not case.long][:: SAMPLE.get(group, OTHERS)]


def test_there_are_at_least_300_cases() -> None:
    assert sum(map(len, CORPUS.values())) >= 300


def test_the_large_queries_are_valid(graph: Graph) -> None:
    """So they are refused for their size, and not for a mistake in the corpus."""
    queries = {name: query for name, query in LARGE.items() if PROVING or len(query) < LONG}
    errors = {
        name: [error.message[:200] for error in validate(graph._schema, parse(query))]
        for name, query in queries.items()
    }
    assert {name: messages for name, messages in errors.items() if messages} == {}


@pytest.mark.parametrize("group", CORPUS)
async def test_the_service_stands(
    group: str, target: Target, watch: Watch, attacked_url: str, record_proof: RecordProof
) -> None:
    cases = chosen(group)
    report = await run(cases, target, watch)
    assert not report.faults, "\n".join(report.faults)
    database = "SQLite" if "sqlite" in attacked_url else "PostgreSQL"
    row = {
        "group": f"{database}, {group}",
        "cases": len(cases),
        "requests": f"{report.requests:,}",
        "longest wait of another viewer": f"{report.slowest * 1000:,.0f} ms",
        "growth of memory": f"{report.memory:.0f} MiB",
    }
    record_proof("hostile", "The hostile corpus", row)
