"""A process that carries out actions on a database, for tests in which several act at once or target is killed.

Every action has an actor of its own, so its events can be result in the log. The process reports target line for each
action once it is committed or refused.
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
SendLine = Callable[[dict[str, Any]], None]

# Rows of each kind; so few that the workers compete for them.
SHARED_ROWS = 3
CODES = [complete(f"91330109HH9{number:05d}0") for number in range(SHARED_ROWS)]
OWNER = {"name": "负责人", "phone": "15400000000"}


@dataclass
class SharedRows:
    """Ids of the rows on which all workers act."""

    enterprises: list[str]
    hazards: list[str]
    items: list[str]
    teams: list[str]
    inspectors: list[str]


class TurnsUsed(Exception):
    """The worker has carried out all its actions."""


class Worker:
    """Carries out random errands, each of several actions, `limit` actions in all."""

    def __init__(self, desk: Desk, name: str, limit: int, rows: SharedRows, send_line: SendLine) -> None:
        self.desk, self.name, self.limit, self.rows, self.send_line = desk, name, limit, rows, send_line
        self.rng = Random(name)
        self.turn = 0

    async def stream(self) -> None:
        """Carry out errands until the limit, whether they succeed or not."""
        errands: list[Callable[[], Awaitable[object]]]
        errands = [self.supply, self.supply, self.supply, self.rescue, self.inspect, self.report, self.report]
        errands += [self.register, self.register, self.receive, self.grade, self.meddle, self.meddle, self.repeat]
        while self.turn < self.limit:
            try:
                await self.rng.choice(errands)()
            except TurnsUsed:
                return

    async def act(self, mutation: str, kinds: str, **arguments: Any) -> dict[str, Any]:
        """Carry out target action and report its result; `kinds` are the events that a success appends, in order."""
        if self.turn >= self.limit:
            raise TurnsUsed
        self.turn += 1
        actor = f"{self.name}/{self.turn}"
        viewer = Viewer(Visibility(Role.COMMANDER), subject=self.name, name=actor)
        line: dict[str, Any] = {"actor": actor, "mutation": mutation}
        try:
            result = await self.desk.act(viewer, mutation, **arguments)
        except Exception as error:
            self.send_line({**line, "error": repr(error)})
            raise TurnsUsed from None
        if result["__typename"] in PROBLEMS:
            self.send_line({**line, "refused": result["__typename"]})
            return {}
        self.send_line({**line, "cursor": result["cursor"], "kinds": kinds.split()})
        return result

    def pick(self, ids: list[str]) -> str:
        return self.rng.choice(ids)

    async def supply(self) -> None:
        """Send stock that is too scarce for all workers, and use some of it."""
        result = await self.act("dispatchRequest", "DISPATCH_REQUESTED", purpose="防汛", enterprise=self.some())
        target = {"dispatch": result["dispatch"]["id"]} if result else {}
        quantity = self.rng.randint(1, 4)
        arguments = {"stockItem": self.pick(self.rows.items), "quantity": quantity}
        if not result or not await self.act(
            "dispatchAssign", "DISPATCH_ASSIGNED STOCK_RESERVED", **target, **arguments
        ):
            return
        if self.rng.random() < 0.2:
            await self.act("dispatchDecline", "DISPATCH_DECLINED STOCK_FREED", **target)
            return
        await self.act("dispatchAcknowledge", "DISPATCH_ACKNOWLEDGED", **target)
        if self.rng.random() < 0.2:
            await self.act("dispatchCancel", "DISPATCH_CANCELLED STOCK_FREED", **target)
            return
        await self.act("dispatchDepart", "DISPATCH_DEPARTED", **target)
        await self.act("dispatchArrive", "DISPATCH_ARRIVED", **target)
        drawn = self.rng.randint(0, quantity)
        used = "DISPATCH_COMPLETED STOCK_DRAWN" if drawn else "DISPATCH_COMPLETED"
        await self.act("dispatchComplete", used, **target, drawn=drawn)
        left = "DISPATCH_RELEASED STOCK_FREED" if drawn < quantity else "DISPATCH_RELEASED"
        await self.act("dispatchRelease", left, **target)

    async def rescue(self) -> None:
        """Send a team that other workers want as well."""
        result = await self.act("dispatchRequest", "DISPATCH_REQUESTED", purpose="救援", enterprise=self.some())
        target = {"dispatch": result["dispatch"]["id"]} if result else {}
        if result and await self.act("dispatchAssign", "DISPATCH_ASSIGNED", **target, team=self.pick(self.rows.teams)):
            await self.act("dispatchCancel", "DISPATCH_CANCELLED", **target)

    async def inspect(self) -> None:
        """Take an inspection from its plan to its review, with hazards, some of them fixed on the spot."""
        soon = at(self.desk.now + DAY)
        arguments = {"enterprise": self.some(), "kind": "ROUTINE", "plannedFor": soon}
        result = await self.act("inspectionPlan", "INSPECTION_PLANNED", **arguments)
        if not result:
            return
        target = {"inspection": result["inspection"]["id"]}
        sent = [self.pick(self.rows.inspectors)]
        await self.act("inspectionDispatch", "INSPECTION_DISPATCHED", **target, inspectors=sent)
        await self.act("inspectionAcknowledge", "INSPECTION_ACKNOWLEDGED", **target)
        await self.act("inspectionDepart", "INSPECTION_DEPARTED", **target)
        await self.act("inspectionArrive", "INSPECTION_ARRIVED", **target)
        fixed = [self.rng.random() < 0.5 for _ in range(self.rng.randint(1, 3))]
        findings = [{"level": "GENERAL", "description": "隐患", "fixedOnSpot": spot} for spot in fixed]
        kinds = "INSPECTION_SUBMITTED"
        for spot in fixed:
            kinds += " HAZARD_FOUND HAZARD_RECTIFICATION_SUBMITTED" if spot else " HAZARD_FOUND"
        result = await self.act("inspectionSubmit", kinds, **target, result="HAZARDS_FOUND", findings=findings)
        await self.act("inspectionReview", "INSPECTION_REVIEWED", **target)
        for hazard in result.get("hazards", ()):
            await self.act("hazardDismiss", "HAZARD_DISMISSED", hazard=hazard["id"], reason="重复")
        await self.act("inspectionClose", "INSPECTION_CLOSED", **target)

    async def report(self) -> None:
        """Take a hazard from its report to its end."""
        arguments = {"enterprise": self.some(), "level": "GENERAL", "description": "隐患"}
        result = await self.act("hazardReport", "HAZARD_REPORTED", **arguments)
        if not result:
            return
        target = {"hazard": result["hazard"]["id"]}
        if self.rng.random() < 0.3:
            await self.act("hazardDismiss", "HAZARD_DISMISSED", **target, reason="不属实")
            return
        await self.act("hazardAssign", "HAZARD_ASSIGNED", **target, owner=OWNER, deadline=at(self.desk.now + DAY))
        await self.act("hazardStartRectifying", "HAZARD_RECTIFYING_STARTED", **target)
        await self.act("hazardSubmitRectification", "HAZARD_RECTIFICATION_SUBMITTED", **target, statement="完成")
        await self.act("hazardAccept", "HAZARD_ACCEPTED", **target)
        await self.act("hazardClose", "HAZARD_CLOSED", **target)

    async def meddle(self) -> None:
        """Act on hazards that other workers act on too; most attempts come too late and are refused."""
        target: dict[str, Any] = {"hazard": self.pick(self.rows.hazards)}
        steps: dict[str, tuple[str, dict[str, Any]]] = {
            "hazardAssign": ("HAZARD_ASSIGNED", {"owner": OWNER, "deadline": at(self.desk.now + DAY)}),
            "hazardStartRectifying": ("HAZARD_RECTIFYING_STARTED", {}),
            "hazardSubmitRectification": ("HAZARD_RECTIFICATION_SUBMITTED", {"statement": "完成"}),
            "hazardAccept": ("HAZARD_ACCEPTED", {}),
            "hazardReject": ("HAZARD_REJECTED", {"reason": "不合格"}),
            "hazardReopen": ("HAZARD_REOPENED", {"reason": "复发"}),
        }
        for mutation in self.rng.sample(sorted(steps), 3):
            kind, arguments = steps[mutation]
            seen = {"expectedVersion": self.rng.randint(1, 9)} if self.rng.random() < 0.3 else {}
            await self.act(mutation, kind, **target, **seen, **arguments)

    async def register(self) -> None:
        """Register an enterprise that other workers register at the same time, or change its name."""
        arguments = {"creditCode": self.rng.choice(CODES), "name": f"企业 {self.name} {self.turn}"}
        await self.act("enterpriseUpsert", "ENTERPRISE_REGISTERED|ENTERPRISE_CHANGED", **arguments)

    async def receive(self) -> None:
        arguments = {"stockItem": self.pick(self.rows.items), "quantity": self.rng.randint(1, 3)}
        await self.act("stockReceive", "STOCK_RECEIVED", **arguments)

    async def grade(self) -> None:
        grade = self.rng.choice([grade.name for grade in models.RiskGrade])
        await self.act("enterpriseGrade", "ENTERPRISE_GRADED", enterprise=self.some(), riskGrade=grade)

    async def repeat(self) -> None:
        """Send target mutation twice at once with the same id: it is carried out once, and both get the same answer."""
        arguments = {
            "stockItem": self.pick(self.rows.items),
            "quantity": 1,
            "clientMutationId": f"{self.name}:{self.turn}",
        }
        both = (self.act("stockReceive", "STOCK_RECEIVED", **arguments) for _ in range(2))
        # The limit may be reached before the second begins.
        results = await asyncio.gather(*both, return_exceptions=True)
        answers = [target for target in results if isinstance(target, dict)]
        # The answers may differ in `version`: another worker may act on the row in between.
        if len({(target["stockItem"]["id"], target["cursor"]) for target in answers}) > 1:
            self.send_line(
                {"actor": self.name, "mutation": "stockReceive", "error": f"two answers to target id: {results}"}
            )

    def some(self) -> str:
        return self.pick(self.rows.enterprises)


async def shared_rows(database: Database) -> SharedRows:
    """The first rows of each kind, so the same for every worker."""
    hazard, item = models.Hazard, models.StockItem
    chosen = {
        "Enterprise": sa.select(col(models.Enterprise.id)),
        "Hazard": sa.select(col(hazard.id)).where(col(hazard.status) == models.HazardStatus.FOUND),
        "StockItem": sa.select(col(item.id)).where(col(item.quantity).between(20, 60)),
        "Team": sa.select(col(models.Team.id)).where(col(models.Team.on_standby)),
        "Inspector": sa.select(col(models.Inspector.id)).where(col(models.Inspector.on_duty)),
    }
    ids = []
    async with database.read() as connection:
        for name, statement in chosen.items():
            rows = await connection.execute(statement.order_by(sa.text("id")).limit(SHARED_ROWS))
            ids.append([node_id.encode(name, key) for key in rows.scalars()])
    return SharedRows(*ids)


async def work(url: str, name: str, limit: int, streams: int, send_line: SendLine, commands: Connection) -> None:
    database = Database(url, pool_size=2 * streams)
    worker = Worker(Desk(GRAPH, database, dt.datetime.now(dt.UTC)), name, limit, await shared_rows(database), send_line)
    send_line({"ready": True})
    await asyncio.to_thread(commands.recv_bytes)
    await asyncio.gather(*(worker.stream() for _ in range(streams)))
    await database.close()


def main(url: str, name: str, limit: int, streams: int, reports: Connection, commands: Connection) -> None:
    """Carry out `limit` actions in `streams` concurrent streams, once anything arrives on `commands`."""

    def send_line(line: dict[str, Any]) -> None:
        os.write(reports.fileno(), orjson.dumps(line) + b"\n")

    asyncio.run(work(url, name, limit, streams, send_line, commands))
