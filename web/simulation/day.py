"""One working day: flows start at their hours and interleave in simulated time. The caller sets the pace of calls."""

import asyncio
import datetime as dt
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from web.simulation import flows, rain
from web.simulation.calls import COMMANDER, Call, Desk, Flow, Pause, Refusal
from web.simulation.flows import Enterprise, Inspector, World

MINUTES = 12 * 60  # of a working day
MINUTES_MAXIMUM = 3 * MINUTES  # work that began late goes on, but a flow that waits for what never comes is given up
AWAY_SECONDS = 1.0  # between calls while the server does not answer
WORLD = """
query World($zones: [ID!]) {
  enterprises(first: 400, filter: { zones: $zones }) {
    nodes { id creditCode externalId location { latitude longitude } }
  }
  inspectors(first: 200, filter: { available: true }) { nodes { id badge position { latitude longitude } } }
  teams(first: 200, filter: { available: true }) {
    nodes { id dispatches(first: 1, filter: { active: true }) { totalCount } }
  }
  experts(first: 200, filter: { available: true }) { nodes { id } }
  warehouses(first: 50) { nodes { stock(first: 50) { nodes { id } } } }
  zones { id ...Rain }
  dispatches(first: 1000, filter: { active: true }) { nodes { resource { ... on Expert { id } } } }
}
"""
WORLD += rain.FRAGMENT


@dataclass
class Summary:
    """How often each mutation was called, and which calls were refused unexpectedly."""

    calls: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)


@dataclass
class Day:
    """A day's work on one server."""

    desk: Desk
    seed: int = 0
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    summary: Summary = field(default_factory=Summary)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._queue: list[tuple[float, int, Flow, Any]] = []
        self._numbers = itertools.count()
        self.minute = 0.0  # since the beginning of the day

    def start(self, flow: Flow) -> None:
        self._put(self.minute, flow, None)

    def _put(self, minute: float, flow: Flow, reply: Any) -> None:
        heapq.heappush(self._queue, (minute, next(self._numbers), flow, reply))

    async def play(self, wait: Callable[[], Awaitable[bool]], *, at_once: int = 1) -> Summary:
        """Play until the day is over or `wait`, which is awaited before each call, returns False.

        So many calls run `at_once`, each of another flow. People work on the same rows, and servers restart. So a flow
        whose call fails ends, whatever the failure, and the day goes on.
        """
        self._schedule(await self._world())
        calls: set[asyncio.Task[None]] = set()
        try:
            while (self._queue or calls) and self.minute < MINUTES_MAXIMUM:
                if len(calls) == at_once or not self._queue:
                    _, calls = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
                    continue
                self.minute, _, flow, reply = heapq.heappop(self._queue)
                step = self._step(flow, reply)
                if isinstance(step, Pause):
                    self._put(self.minute + step.minutes, flow, None)
                    await asyncio.sleep(0)  # pauses alone must not keep everything else from running
                elif isinstance(step, Call):
                    if not await wait():
                        flow.close()
                        break
                    calls.add(asyncio.create_task(self._call(self.minute, flow, step)))
                calls = {call for call in calls if not call.done()}
            await asyncio.gather(*calls)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            for _, _, flow, _ in self._queue:
                flow.close()
            self._queue.clear()
        return self.summary

    def _step(self, flow: Flow, reply: Any) -> Call | Pause | None:
        """A flow's next step; None at its end."""
        try:
            return flow.send(reply)
        except StopIteration:
            return None
        except Exception as error:
            self._give_up(flow, error)
            return None

    async def _call(self, minute: float, flow: Flow, call: Call) -> None:
        """Carry out a flow's call. The flow goes on in the minute of the call."""
        try:
            self._put(minute, flow, await self.desk.call(call))
            self.summary.calls[call.mutation] += 1
        except Exception as error:
            self._give_up(flow, error)
            if isinstance(error, httpx.HTTPError):
                await asyncio.sleep(AWAY_SECONDS)

    def _give_up(self, flow: Flow, error: Exception) -> None:
        """End a flow that failed, in whatever way: it must not end the day."""
        flow.close()
        self.summary.refusals.append(str(error) if isinstance(error, Refusal) else type(error).__name__)

    async def _world(self) -> World:
        data = await self.desk.ask(WORLD, {})
        enterprises = [
            Enterprise(e["id"], code, e["location"]["latitude"], e["location"]["longitude"])
            for e in data["enterprises"]["nodes"]
            if e["location"] and (code := e["creditCode"] or e["externalId"])
        ]
        inspectors = [
            Inspector(i["id"], i["badge"], i["position"]["latitude"], i["position"]["longitude"])
            for i in data["inspectors"]["nodes"]
            if i["position"]
        ]
        away = {d["resource"]["id"] for d in data["dispatches"]["nodes"] if d["resource"]}
        return World(
            random=self._random,
            enterprises=enterprises,
            inspectors=inspectors,
            teams=[t["id"] for t in data["teams"]["nodes"] if not t["dispatches"]["totalCount"]],
            experts=[e["id"] for e in data["experts"]["nodes"] if e["id"] not in away],
            stock=[s["id"] for w in data["warehouses"]["nodes"] for s in w["stock"]["nodes"]],
            fronts={z["id"]: rain.begins(z["warnings"]["nodes"], self.clock()) for z in data["zones"]},
            now=self.clock,
            start=self.start,
        )

    def _schedule(self, world: World) -> None:
        """Set when flows start: a busy morning, a quiet noon, an afternoon."""
        for _ in range(40):
            self._put(self._random.triangular(0, MINUTES * 0.8, 90), flows.visit(world), None)
        for _ in range(12):
            self._put(self._random.uniform(0, MINUTES * 0.8), flows.duty(world), None)
        for _ in range(8):
            self._put(self._random.uniform(0, MINUTES * 0.8), flows.dispatch(world), None)
        for zone, begun in [*world.fronts.items()][:2]:
            minute = self._random.uniform(0, 30)
            if begun is not None:
                self._put(minute, rain.front(world, zone, begun), None)
        self._put(60, office(world), None)
        self._put(0, flows.roll_call(world), None)


def office(world: World) -> Flow:
    """The command centre's other work."""
    for _ in range(6):
        enterprise = world.random.choice(world.enterprises)
        grade = world.random.choice(["RED", "ORANGE", "YELLOW", "BLUE"])
        yield Call(COMMANDER, "enterpriseGrade", {"enterprise": enterprise.id, "riskGrade": grade})
        yield Pause(40)
        measure = {"enterprise": enterprise.id, "kind": "ADMINISTRATIVE", "description": "赛时每日两次巡查"}
        selection = "... on ControlMeasureAdded { controlMeasure { id } }"
        added = yield Call(enterprise.identity, "controlMeasureAdd", measure, selection)
        yield Pause(40)
        yield Call(enterprise.identity, "controlMeasureLift", {"controlMeasure": added["controlMeasure"]["id"]})
    issued = yield Call(
        COMMANDER,
        "warningIssue",
        {"kind": "HEAT", "level": "YELLOW", "headline": "高温黄色预警"},
        "... on WarningIssued { warning { id } }",
    )
    yield Pause(120)
    yield Call(COMMANDER, "warningLift", {"warning": issued["warning"]["id"]})
