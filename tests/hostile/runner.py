"""Runs cases against a server and collects its faults."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.hostile.case import Case, Target
from tests.hostile.watch import MIB, Seen, Watch
from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING

ANSWERED_SECONDS = 1.0  # in a proof; otherwise the machine may be busy, and another viewer only has to be answered
GROWTH = 100 * MIB


@dataclass
class Report:
    """What cases did to the server: MiB of growth, and the longest seconds that another viewer waited."""

    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    memory: float = 0.0
    requests: int = 0


async def run(cases: Sequence[Case], target: Target, watch: Watch) -> Report:
    """Run cases one after the other."""
    report, before, requests = Report(), watch.memory(), target.requests
    for case in cases:
        faults, seen = await faults_of_case(case, target, watch)
        growth = (seen.memory - before) / MIB
        if growth > max(report.memory, GROWTH / MIB):
            faults.append(f"the memory grew by {growth:.0f} MiB")
        report.faults += [f"{case.group}: {case.name}: {fault}" for fault in faults]
        report.slowest, report.memory = max(report.slowest, seen.slowest), max(report.memory, growth)
    report.requests = target.requests - requests
    return report


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
    return faults, seen
