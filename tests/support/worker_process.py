"""A process that acts on a database, for the tests in which several act at once or one is killed.

Every action has an actor of its own, so that the log tells what came of it, and the process says a line of each once
it is committed or refused.
"""

import asyncio
import datetime as dt
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import orjson
import sqlalchemy as sa
from sqlmodel import col

import models
from models.credit_code import complete
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from schema.build import build
from schema.types import node_id
from tests.support.actors import DAY, PROBLEMS, Desk, at

GRAPH = build()
Say = Callable[[dict[str, Any]], None]

# So few of each that all who act meet.
SHARED_ROWS = 3
CODES = [complete(f"91330109HH9{number:05d}0") for number in range(SHARED_ROWS)]
OWNER = {"name": "负责人", "phone": "15400000000"}


@dataclass
class SharedRows:
    """Ids of rows that everybody acts on."""

    enterprises: list[str]
    hazards: list[str]
    items: list[str]
    teams: list[str]
    inspectors: list[str]


class TurnsUsed(Exception):
    """As many actions as were asked for."""


class Worker:
    """Goes on errands, each of several actions."""

    def __init__(self, desk: Desk, name: str, most: int, hot: SharedRows, say: Say) -> None:
        self.desk, self.name, self.most, self.hot, self.say = desk, name, most, hot, say
        self.rng = Random(name)
        self.turn = 0

    async def stream(self) -> None:
        """Errand after errand, whatever becomes of each."""
        errands: list[Callable[[], Awaitable[object]]]
        errands = [self.supply, self.supply, self.supply, self.rescue, self.inspect, self.report, self.report]
        errands += [self.register, self.register, self.receive, self.grade, self.meddle, self.meddle, self.repeat]
        while self.turn < self.most:
            try:
                await self.rng.choice(errands)()
            except TurnsUsed:
                return

    async def act(self, mutation: str, kinds: str, **given: Any) -> dict[str, Any]:
        """One action, and a line of what came of it; `kinds` are the events that a success leaves, in their order."""
        if self.turn >= self.most:
            raise TurnsUsed
        self.turn += 1
        actor = f"{self.name}/{self.turn}"
        viewer = Viewer(Visibility(Role.COMMANDER), subject=self.name, name=actor)
        line: dict[str, Any] = {"actor": actor, "mutation": mutation}
        try:
            found = await self.desk.act(viewer, mutation, **given)
        except Exception as error:
            self.say({**line, "error": repr(error)})
            raise TurnsUsed from None
        if found["__typename"] in PROBLEMS:
            self.say({**line, "refused": found["__typename"]})
            return {}
        self.say({**line, "cursor": found["cursor"], "kinds": kinds.split()})
        return found

    def pick(self, of: list[str]) -> str:
        return self.rng.choice(of)

    async def supply(self) -> None:
        """Send stock of which there is not enough for all, and use some of it."""
        found = await self.act("dispatchRequest", "DISPATCH_REQUESTED", purpose="防汛", enterprise=self.some())
        one = {"dispatch": found["dispatch"]["id"]} if found else {}
        quantity = self.rng.randint(1, 4)
        given = {"stockItem": self.pick(self.hot.items), "quantity": quantity}
        if not found or not await self.act("dispatchAssign", "DISPATCH_ASSIGNED STOCK_RESERVED", **one, **given):
            return
        if self.rng.random() < 0.2:
            await self.act("dispatchDecline", "DISPATCH_DECLINED STOCK_FREED", **one)
            return
        await self.act("dispatchAcknowledge", "DISPATCH_ACKNOWLEDGED", **one)
        if self.rng.random() < 0.2:
            await self.act("dispatchCancel", "DISPATCH_CANCELLED STOCK_FREED", **one)
            return
        await self.act("dispatchDepart", "DISPATCH_DEPARTED", **one)
        await self.act("dispatchArrive", "DISPATCH_ARRIVED", **one)
        drawn = self.rng.randint(0, quantity)
        used = "DISPATCH_COMPLETED STOCK_DRAWN" if drawn else "DISPATCH_COMPLETED"
        await self.act("dispatchComplete", used, **one, drawn=drawn)
        left = "DISPATCH_RELEASED STOCK_FREED" if drawn < quantity else "DISPATCH_RELEASED"
        await self.act("dispatchRelease", left, **one)

    async def rescue(self) -> None:
        """Send a team that others want as well."""
        found = await self.act("dispatchRequest", "DISPATCH_REQUESTED", purpose="救援", enterprise=self.some())
        one = {"dispatch": found["dispatch"]["id"]} if found else {}
        if found and await self.act("dispatchAssign", "DISPATCH_ASSIGNED", **one, team=self.pick(self.hot.teams)):
            await self.act("dispatchCancel", "DISPATCH_CANCELLED", **one)

    async def inspect(self) -> None:
        """An inspection from its plan to its review, with hazards, some of them fixed on the spot."""
        soon = at(self.desk.now + DAY)
        given = {"enterprise": self.some(), "kind": "ROUTINE", "plannedFor": soon}
        found = await self.act("inspectionPlan", "INSPECTION_PLANNED", **given)
        if not found:
            return
        one = {"inspection": found["inspection"]["id"]}
        sent = [self.pick(self.hot.inspectors)]
        await self.act("inspectionDispatch", "INSPECTION_DISPATCHED", **one, inspectors=sent)
        await self.act("inspectionAcknowledge", "INSPECTION_ACKNOWLEDGED", **one)
        await self.act("inspectionDepart", "INSPECTION_DEPARTED", **one)
        await self.act("inspectionArrive", "INSPECTION_ARRIVED", **one)
        fixed = [self.rng.random() < 0.5 for _ in range(self.rng.randint(1, 3))]
        findings = [{"level": "GENERAL", "description": "隐患", "fixedOnSpot": spot} for spot in fixed]
        kinds = "INSPECTION_SUBMITTED"
        for spot in fixed:
            kinds += " HAZARD_FOUND HAZARD_RECTIFICATION_SUBMITTED" if spot else " HAZARD_FOUND"
        found = await self.act("inspectionSubmit", kinds, **one, result="HAZARDS_FOUND", findings=findings)
        await self.act("inspectionReview", "INSPECTION_REVIEWED", **one)
        for hazard in found.get("hazards", ()):
            await self.act("hazardDismiss", "HAZARD_DISMISSED", hazard=hazard["id"], reason="重复")
        await self.act("inspectionClose", "INSPECTION_CLOSED", **one)

    async def report(self) -> None:
        """A hazard from its report to its end."""
        given = {"enterprise": self.some(), "level": "GENERAL", "description": "隐患"}
        found = await self.act("hazardReport", "HAZARD_REPORTED", **given)
        if not found:
            return
        one = {"hazard": found["hazard"]["id"]}
        if self.rng.random() < 0.3:
            await self.act("hazardDismiss", "HAZARD_DISMISSED", **one, reason="不属实")
            return
        await self.act("hazardAssign", "HAZARD_ASSIGNED", **one, owner=OWNER, deadline=at(self.desk.now + DAY))
        await self.act("hazardStartRectifying", "HAZARD_RECTIFYING_STARTED", **one)
        await self.act("hazardSubmitRectification", "HAZARD_RECTIFICATION_SUBMITTED", **one, statement="完成")
        await self.act("hazardAccept", "HAZARD_ACCEPTED", **one)
        await self.act("hazardClose", "HAZARD_CLOSED", **one)

    async def meddle(self) -> None:
        """A step of a hazard that others act on too: most find that somebody was there before."""
        one: dict[str, Any] = {"hazard": self.pick(self.hot.hazards)}
        steps: dict[str, tuple[str, dict[str, Any]]] = {
            "hazardAssign": ("HAZARD_ASSIGNED", {"owner": OWNER, "deadline": at(self.desk.now + DAY)}),
            "hazardStartRectifying": ("HAZARD_RECTIFYING_STARTED", {}),
            "hazardSubmitRectification": ("HAZARD_RECTIFICATION_SUBMITTED", {"statement": "完成"}),
            "hazardAccept": ("HAZARD_ACCEPTED", {}),
            "hazardReject": ("HAZARD_REJECTED", {"reason": "不合格"}),
            "hazardReopen": ("HAZARD_REOPENED", {"reason": "复发"}),
        }
        for mutation in self.rng.sample(sorted(steps), 3):
            kind, given = steps[mutation]
            seen = {"expectedVersion": self.rng.randint(1, 9)} if self.rng.random() < 0.3 else {}
            await self.act(mutation, kind, **one, **seen, **given)

    async def register(self) -> None:
        """Register an enterprise that others register at the same time, or change its name."""
        given = {"creditCode": self.rng.choice(CODES), "name": f"企业 {self.name} {self.turn}"}
        await self.act("enterpriseUpsert", "ENTERPRISE_REGISTERED|ENTERPRISE_CHANGED", **given)

    async def receive(self) -> None:
        given = {"stockItem": self.pick(self.hot.items), "quantity": self.rng.randint(1, 3)}
        await self.act("stockReceive", "STOCK_RECEIVED", **given)

    async def grade(self) -> None:
        grade = self.rng.choice([grade.name for grade in models.RiskGrade])
        await self.act("enterpriseGrade", "ENTERPRISE_GRADED", enterprise=self.some(), riskGrade=grade)

    async def repeat(self) -> None:
        """The same twice at once, by the same name: it is done once, and both get the same answer."""
        given = {"stockItem": self.pick(self.hot.items), "quantity": 1, "clientMutationId": f"{self.name}:{self.turn}"}
        both = (self.act("stockReceive", "STOCK_RECEIVED", **given) for _ in range(2))
        # Both end, also where the turns are over before the second has begun.
        found = await asyncio.gather(*both, return_exceptions=True)
        answers = [one for one in found if isinstance(one, dict)]
        # The version is the row's when each was answered, and others act on it in between.
        if len({(one["stockItem"]["id"], one["cursor"]) for one in answers}) > 1:
            self.say({"actor": self.name, "mutation": "stockReceive", "error": f"two answers to one name: {found}"})

    def some(self) -> str:
        return self.pick(self.hot.enterprises)


async def shared_rows(database: Database) -> SharedRows:
    """The same rows for everybody."""
    hazard, item = models.Hazard, models.StockItem
    chosen = {
        "Enterprise": sa.select(col(models.Enterprise.id)),
        "Hazard": sa.select(col(hazard.id)).where(col(hazard.status) == models.HazardStatus.FOUND),
        "StockItem": sa.select(col(item.id)).where(col(item.quantity).between(20, 60)),
        "Team": sa.select(col(models.Team.id)).where(col(models.Team.on_standby)),
        "Inspector": sa.select(col(models.Inspector.id)).where(col(models.Inspector.on_duty)),
    }
    found = []
    async with database.read() as connection:
        for name, statement in chosen.items():
            rows = await connection.execute(statement.order_by(sa.text("id")).limit(SHARED_ROWS))
            found.append([node_id.encode(name, key) for key in rows.scalars()])
    return SharedRows(*found)


async def work(url: str, name: str, most: int, streams: int, say: Say, told: Connection) -> None:
    database = Database(url, pool_size=2 * streams)
    worker = Worker(Desk(GRAPH, database, dt.datetime.now(dt.UTC)), name, most, await shared_rows(database), say)
    say({"ready": True})
    await asyncio.to_thread(told.recv_bytes)
    await asyncio.gather(*(worker.stream() for _ in range(streams)))
    await database.close()


def main(url: str, name: str, most: int, streams: int, saying: Connection, told: Connection) -> None:
    """Act so often in all, in so many streams at once, after a word from `told`."""

    def say(line: dict[str, Any]) -> None:
        os.write(saying.fileno(), orjson.dumps(line) + b"\n")

    asyncio.run(work(url, name, most, streams, say, told))
