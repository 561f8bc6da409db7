"""All groups of the corpus."""

from collections import Counter

from tests.hostile import (
    abandoned,
    bounds,
    documents,
    forged,
    http_headers,
    http_lines,
    json_bodies,
    mixtures,
    sign_in,
    sizes,
    slow,
    sockets,
    storms,
    streams,
    uploads,
)
from tests.hostile.case import Case

MODULES = (
    http_lines,
    http_headers,
    json_bodies,
    documents,
    sizes,
    abandoned,
    slow,
    sockets,
    storms,
    streams,
    uploads,
    forged,
    sign_in,
    mixtures,
    bounds,
)


def corpus() -> dict[str, list[Case]]:
    """The cases by group. No two of a group have the same name."""
    groups: dict[str, list[Case]] = {}
    for module in MODULES:
        for case in module.cases():
            groups.setdefault(case.group, []).append(case)
    for group, cases in groups.items():
        repeated = [name for name, count in Counter(case.name for case in cases).items() if count > 1]
        assert not repeated, f"{group}: {repeated}"
    return groups


CORPUS = corpus()
