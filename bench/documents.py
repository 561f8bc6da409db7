"""Measures the worst documents that we know for each stage of the analysis, until each is refused or planned.

`python -m bench.documents [--rounds 5]`. The CPU time is that of the process, so that other load matters little.
"""

import argparse
import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import parse, print_ast

from bench import machine
from models.visibility import Role, Visibility
from schema.build import Graph, build
from schema.execution import limits
from schema.execution.cost import cost_error
from schema.execution.cost_limit import COST_LIMIT
from schema.execution.documents import Documents
from schema.plan.cache import PlanCache
from schema.plan.variables import NO_VARIABLES
from tests.support.hostile_documents import documents

RESULTS = Path(__file__).parent / "results" / "documents.md"
LIMIT = 50  # milliseconds
COMMANDER = Visibility(Role.COMMANDER)
VALUES: dict[str, Any] = {"Boolean!": True, "[ID!]!": ["a"], "ID!": "a"}


@dataclass(frozen=True)
class Measured:
    """One document: the milliseconds of CPU until it was refused or planned, and which of these."""

    group: str
    name: str
    size: int
    milliseconds: float
    outcome: str


class Analysis:
    """Analyses documents for one database, as the server does before it executes them."""

    def __init__(self, graph: Graph, *, sqlite: bool) -> None:
        self._graph, self._sqlite = graph, sqlite

    def outcome(self, text: str) -> str:
        """Refused with which message, planned, or left to graphql-core."""
        parsed = Documents(self._graph, self._plans, introspection=True).analyse(text, None)
        if isinstance(parsed, list):
            return f"refused: {parsed[0]['message']}"
        definitions = parsed.definition.variable_definitions or ()
        variables = {d.variable.name.value: VALUES.get(print_ast(d.type)) for d in definitions}
        cost = parsed.cost.of(variables)
        if cost > COST_LIMIT:
            return f"refused: {cost_error(cost, COST_LIMIT)['message']}"
        coerced = parsed.plans.variables(variables) if parsed.plans.variables else NO_VARIABLES
        plan = parsed.plans.compile(coerced, COMMANDER)
        return f"{'for graphql-core' if plan is None else 'planned'}; cost {cost:,}"

    def _plans(self, document: Any, definition: Any) -> PlanCache:
        return PlanCache(self._graph, document, definition, sqlite=self._sqlite)


def measure(graph: Graph, rounds: int) -> list[Measured]:
    """Each document on the database where it takes longer, the least of all rounds."""
    measured = []
    for group, name, text in documents():
        worst = Measured(group, name, len(text), 0.0, "")
        for sqlite in (True, False):
            analysis, least, outcome = Analysis(graph, sqlite=sqlite), float("inf"), ""
            for _ in range(rounds):
                started = time.process_time()
                outcome = analysis.outcome(text)
                least = min(least, (time.process_time() - started) * 1000)
            if least >= worst.milliseconds:
                worst = Measured(group, name, len(text), least, outcome)
        measured.append(worst)
    return sorted(measured, key=lambda each: -each.milliseconds)


def report(measured: list[Measured], rounds: int) -> str:
    rows = [
        f"| {each.group} | {each.name} | {each.size:,} | {each.milliseconds:.1f} | {shortened(each.outcome)} |"
        for each in measured
    ]
    return "\n".join(
        [
            "# The worst documents",
            "",
            "The CPU time of one process until a document that is new to it is refused or planned, for a commander:",
            "read, checked by the limits, validated, its cost computed, its plan compiled. The documents are as large",
            f"as the limits allow ({limits.TOKENS_MAXIMUM:,} tokens). Given is the least of {rounds} rounds, on the",
            f"database where it is more. No document may take more than {LIMIT} ms.",
            "",
            *machine.described(),
            f"- run on {dt.datetime.now(dt.UTC).date()} by `python -m bench.documents`",
            "",
            "| group | document | bytes | ms | outcome |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def shortened(outcome: str) -> str:
    text = " ".join(outcome.replace("|", "\\|").split())
    return text if len(text) <= 90 else text[:89] + "…"


def main(rounds: int) -> None:
    graph = build()
    Analysis(graph, sqlite=True).outcome(print_ast(parse("{ zones { id } }")))  # fills the caches of the schema
    measured = measure(graph, rounds)
    RESULTS.write_text(report(measured, rounds), "utf-8")
    print(f"{len(measured)} documents, the worst {measured[0].milliseconds:.1f} ms: {measured[0].name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args().rounds)
