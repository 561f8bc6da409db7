"""A desk in a district of its own, with inspections, hazards and dispatches in the states that tests start from."""

import itertools
from typing import Any

import models
from models.db.database import Database
from schema.build import Graph
from schema.types import node_id
from tests.conftest import NOW
from tests.support.actors import DAY, DUTY, Desk, World, at, contents, small_world
from tests.support.input_strategies import NODES
from tests.support.lifecycle_table import valid_inputs

MARKS = itertools.count()
# Models of the rows that inputs refer to, by type.
INPUT_MODELS = {name: getattr(models, name) for name in sorted(set(NODES.values()))}

SOON = at(NOW + 10 * DAY)
GONE = at(NOW - DAY)


class Office(Desk):
    """A desk in the small district."""

    world: World

    @property
    def enterprise(self) -> str:
        return self.world.id("enterprise")

    async def visit(self, upto: str = "ON_SITE") -> str:
        """An inspection by the officer in the state `upto`."""
        plan = {"enterprise": self.enterprise, "kind": "ROUTINE", "plannedFor": SOON}
        visit: str = (await self.done(self.world.officer, "inspectionPlan", **plan))["inspection"]["id"]
        way = {"DISPATCHED": "Dispatch", "ACKNOWLEDGED": "Acknowledge", "EN_ROUTE": "Depart", "ON_SITE": "Arrive"}
        way |= {"SUBMITTED": "Submit", "IN_REVIEW": "Review", "CLOSED": "Close"}
        for state, step in way.items():
            if upto == "PLANNED":
                break
            await self.done(
                DUTY, f"inspection{step}", inspection=visit, **({"result": "PASS"} if step == "Submit" else {})
            )
            if state == upto:
                break
        return visit

    async def submit(self, visit: str, *findings: dict[str, Any], **more: Any) -> Any:
        """Submit the inspection with findings. Returns its hazards."""
        result = {"result": "HAZARDS_FOUND", "findings": list(findings), **more}
        return (await self.done(self.world.officer, "inspectionSubmit", inspection=visit, **result))["hazards"]

    async def hazard(self, level: str = "GENERAL", upto: str = "FOUND", deadline: str = SOON) -> str:
        """A hazard found by the officer's inspection, in the state `upto`."""
        [row] = await self.submit(await self.visit(), finding(level))
        hazard: str = row["id"]
        inputs = valid_inputs(self.world)
        inputs["hazardAssign"] = {**inputs["hazardAssign"], "deadline": deadline}
        way = {"ASSIGNED": "Assign", "RECTIFYING": "StartRectifying", "PENDING_ACCEPTANCE": "SubmitRectification"}
        for state, step in (way | {"ACCEPTED": "Accept", "CLOSED": "Close"}).items():
            if upto == "FOUND":
                break
            await self.done(DUTY, f"hazard{step}", hazard=hazard, **inputs.get(f"hazard{step}", {}))
            if state == upto:
                break
        return hazard

    async def dispatch(self) -> str:
        purpose = {"purpose": "抢险", "enterprise": self.enterprise}
        dispatch: str = (await self.done(DUTY, "dispatchRequest", **purpose))["dispatch"]["id"]
        return dispatch


def finding(level: str = "GENERAL", **more: Any) -> dict[str, Any]:
    return {"level": level, "description": "线路老化", **more}


def unique_mark() -> str:
    """A suffix that makes the codes of a district unique."""
    return f"-{next(MARKS)}"


async def open_office(graph: Graph, database: Database) -> Office:
    """An office in a new district; a database can have many."""
    made = Office(graph, database)
    made.world = await small_world(database, unique_mark())
    return made


async def furnish(office: Office) -> dict[str, list[str]]:
    """Add rows in different states. Returns the ids of all rows by type, of the types that inputs refer to."""
    for state in ("PLANNED", "DISPATCHED", "ON_SITE", "SUBMITTED", "IN_REVIEW"):
        await office.visit(state)
    for state in ("FOUND", "ASSIGNED", "RECTIFYING", "PENDING_ACCEPTANCE", "ACCEPTED", "CLOSED"):
        await office.hazard(upto=state)
    visit = await office.visit("SUBMITTED")
    for steps in ("", "File", "File Investigate", "File Investigate Notify"):
        case = (await office.done(DUTY, "casePropose", inspection=visit, grounds="违法"))["case"]["id"]
        for step in steps.split():
            await office.done(DUTY, f"case{step}", case=case)
    inputs = valid_inputs(office.world)
    for steps in ("", "Assign", "Assign Acknowledge", "Assign Acknowledge Depart Arrive"):
        dispatch = await office.dispatch()
        for step in steps.split():
            await office.done(DUTY, f"dispatch{step}", dispatch=dispatch, **inputs.get(f"dispatch{step}", {}))
    for mutation in ("dutyReportSubmit", "controlMeasureAdd", "warningIssue", "handoverSign"):
        await office.done(DUTY, mutation, **inputs[mutation])
    return await ids_by_type(office.database)


async def ids_by_type(database: Database) -> dict[str, list[str]]:
    """The global ids of all rows of the types that inputs refer to, in the order of their keys."""
    rows = await contents(database, *INPUT_MODELS.values())
    return {name: [node_id.encode(name, key) for key in rows[m.__tablename__]] for name, m in INPUT_MODELS.items()}
