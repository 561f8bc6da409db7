"""Anybody does anything at random, and after each step the log, the versions, the states and the stock agree."""

import datetime as dt
import itertools
from collections import Counter
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

import models
from models import Subject, Viewer
from models.database import Database
from schema import ids
from schema.execution import Operation
from schema.root import Graph
from tests import audit_table, tables
from tests.acting import (
    DUTY,
    PROBLEMS,
    WALL,
    Contents,
    Desk,
    World,
    contents,
    document,
    enterprise,
    inspector,
    program,
    small_world,
)
from tests.conftest import Databases
from tests.inputs import inputs, root_fields
from tests.proving import PROVING, examples

# What is guarded, and the columns of it that change without an event.
GUARDED: dict[Subject, set[str]] = {
    **{subject: set() for subject in Subject if subject is not Subject.REGISTER},
    Subject.INSPECTOR: {"latitude", "longitude", "position_at"},
    Subject.ENTERPRISE: {"open_hazards", "last_inspected_at", "updated_at"},
}
NOUNS = {
    Subject.HAZARD: "hazard",
    Subject.INSPECTION: "inspection",
    Subject.CASE: "case",
    Subject.DISPATCH: "dispatch",
    Subject.ASSISTANCE: "assistance",
}
# The kinds of event that each mutation can leave.
KINDS: dict[str, set[str]] = {
    "rainfallReport": {"WARNING_LIFTED"},
    "dispatchRelease": {"STOCK_FREED"},
    "dispatchCancel": {"STOCK_FREED"},
}
for step in audit_table.steps():
    KINDS.setdefault(step.mutation, set()).update(told.kind for told in step.told)
BEGINNINGS = ["hazardReport", "inspectionPlan", "dutyReportSubmit", "assistanceRequest", "dispatchRequest"]
BEGINNINGS += ["casePropose", "stockReceive", "rainfallReport", "enterpriseGrade", "enterpriseUpsert", "warningIssue"]
# What is looked at after each step.
LOOKED_AT = [getattr(models, subject.value) for subject in GUARDED]
LOOKED_AT += [models.Event, models.ClientMutation, models.InspectionInspector, models.DeadlineExtension]
# Where a life cycle ends before its time; taken seldom, so that others are seen as well.
SHORT_WAYS = {"DISMISSED", "CANCELLED", "NOT_FILED", "WITHDRAWN", "TRANSFERRED", "DECLINED", "RESOLVED"}
OPEN = {"ASSIGNED", "ACKNOWLEDGED", "EN_ROUTE", "ON_SCENE", "COMPLETED"}
STOCK = 100


def table(subject: Subject) -> str:
    name: str = getattr(models, subject.value).__tablename__
    return name


class District:
    """A district in a database of its own: what there is in it now, and how often each mutation succeeded."""

    def __init__(self, desk: Desk, world: World, now: Contents) -> None:
        self.desk, self.world, self.now = desk, world, now
        self.graph = desk.graph
        self.received = 0
        self.done: Counter[str] = Counter()

    # -- what can happen --

    async def something_happens(self, random: Random) -> None:
        self.desk.later(dt.timedelta(minutes=random.randint(1, 60)))
        await random.choice([self.something_begins, *[self.somebody_goes_on] * 3])(random)

    async def anybody_does_anything(self, data: st.DataObject) -> None:
        mutation, of = data.draw(st.sampled_from(sorted(root_fields(self.graph).items())))
        await self.act(data.draw(st.sampled_from(self.viewers())), mutation, data.draw(inputs(of, self.known)))

    async def something_begins(self, random: Random) -> None:
        mutation = random.choice(BEGINNINGS)
        given = dict(tables.given(self.world, self.desk.now)[mutation])
        if mutation == "casePropose":
            given["inspection"] = random.choice([*self.known("Inspection"), ids.encode("Inspection", 1)])
        elif mutation == "rainfallReport":
            given["millimetres"] = random.choice([0.0, 20.0, 50.0])
        elif mutation == "enterpriseUpsert":
            place = {"latitude": random.uniform(30.0, 30.3), "longitude": random.uniform(120.0, 120.4)}
            given["location"] = random.choice([None, place])
        await self.act(random.choice([*[DUTY] * 12, *self.viewers()]), mutation, given)

    async def somebody_goes_on(self, random: Random) -> None:
        """A step that the life cycle allows, on a row that is there."""
        ways = [
            (subject, key, line)
            for subject, noun in NOUNS.items()
            for key, row in self.now[table(subject)].items()
            for line in tables.steps(noun)
            if row.status.name in line.sources and (line.to not in SHORT_WAYS or random.random() < 0.1)
        ]
        if not ways:
            return
        # Of each noun as often as of any other, however many rows it has.
        chosen = random.choice(sorted({subject.name for subject, _, _ in ways}))
        subject, key, line = random.choice([way for way in ways if way[0].name == chosen])
        argument, node = tables.SUBJECTS[NOUNS[subject]]
        given = {**tables.given(self.world, self.desk.now).get(line.mutation, {}), **line.extra}
        given |= {argument: ids.encode(node, key), **self.chosen(random, line.mutation, key)}
        await self.act(random.choice([*[DUTY] * 12, *self.viewers()]), line.mutation, given)

    def chosen(self, random: Random, mutation: str, key: int) -> dict[str, Any]:
        """What varies from time to time."""
        if mutation == "dispatchAssign":
            item = {"stockItem": self.world.id("stock_item"), "quantity": random.randint(1, STOCK)}
            one = random.choice(["team", "expert"])
            return random.choice([item, {"stockItem": None, "quantity": None, one: self.world.id(one)}])
        if mutation == "dispatchComplete":
            most = self.now["dispatch"][key].quantity
            return {"drawn": None if most is None else random.randint(0, most)}
        if mutation == "inspectionSubmit":
            level, spot = random.choice(["GENERAL", "MAJOR"]), random.random() < 0.5
            finding = {"level": level, "description": "隐患", "fixedOnSpot": spot and level == "GENERAL"}
            count = random.randint(0, 3)
            return {"result": "HAZARDS_FOUND" if count else "PASS", "findings": [finding] * count}
        return {"approve": random.random() < 0.5} if mutation == "hazardDecideExtension" else {}

    def viewers(self) -> list[Viewer]:
        world = self.world
        some = [DUTY, DUTY, DUTY, world.officer, world.officer, inspector(world.other_inspector), world.own, world.own]
        return [*some, enterprise(world.other_enterprise), WALL, program(*models.Scope)]

    def known(self, node: str) -> list[str]:
        """Ids of the rows of a type; only of what is guarded is there more than at the beginning."""
        if node in ("Zone", "Venue", "Evidence"):
            return [self.world.id(node.lower())]
        return [ids.encode(node, key) for key in sorted(self.now[table(Subject(node))])]

    # -- what must hold --

    async def act(self, viewer: Viewer, mutation: str, given: dict[str, Any]) -> None:
        operation = Operation(document(self.graph, mutation), {"input": given})
        answer = await self.desk.running.run(operation, viewer)
        assert {error["extensions"]["code"] for error in answer.errors} <= {"BAD_VARIABLES"}
        found = answer.data[mutation]["__typename"] if answer.data else "BAD_VARIABLES"
        event(found)
        before, self.now = self.now, await contents(self.desk.database, *LOOKED_AT)
        if found in PROBLEMS or not answer.data:
            assert self.now == before
            return
        self.done[mutation] += 1
        told = [row for key, row in sorted(self.now["event"].items()) if key not in before["event"]]
        assert {one.kind.name for one in told} <= KINDS.get(mutation, set())
        if any(one.kind.name == "STOCK_RECEIVED" for one in told):
            self.received += given["quantity"]
        for subject in GUARDED:
            self.check_rows(mutation, subject, before[table(subject)], told)
        self.check_sums()

    def check_rows(self, mutation: str, subject: Subject, before: dict[int, Any], told: list[Any]) -> None:
        """A row that is new or changed has its event, its version rose by one, and its state could follow."""
        assert before.keys() <= self.now[table(subject)].keys()
        for key, row in self.now[table(subject)].items():
            mine = [one for one in told if (one.subject, one.subject_id) == (subject, key)]
            old = before.get(key)
            changed = {n for n, v in row._mapping.items() if old is None or v != old._mapping[n]} - GUARDED[subject]
            assert mine or not changed, (mutation, subject, key, changed)
            if old is not None and hasattr(row, "version"):
                assert row.version == old.version + bool(changed), (mutation, subject, key, changed)
            if subject in NOUNS and mine:
                self.check_way(mutation, subject, None if old is None else old.status.name, row.status.name, mine)

    def check_way(self, mutation: str, subject: Subject, old: str | None, new: str, told: list[Any]) -> None:
        """The events lead from the old state to the new one, and the life cycle allows each of them."""
        states = [told[0].from_status, *(one.to_status for one in told)]
        assert (states[0], states[-1]) == (old, new)
        assert all(one.from_status == before for one, before in zip(told, states, strict=False))
        for before, after in itertools.pairwise(states):
            if before is not None and before != after:
                lines = [line for line in tables.CYCLES[NOUNS[subject]] if line.mutation == mutation]
                assert any(before in line.sources and line.to == after for line in lines), (mutation, before, after)

    def check_sums(self) -> None:
        """What is kept beside the rows is what counting them gives."""
        sent = [row for row in self.now["dispatch"].values() if row.stock_item_id is not None]
        [item] = self.now["stock_item"].values()
        assert item.quantity == STOCK + self.received - sum(row.drawn or 0 for row in sent)
        assert item.reserved == sum(row.quantity - (row.drawn or 0) for row in sent if row.status.name in OPEN)
        assert 0 <= item.reserved <= item.quantity
        for key, row in self.now["enterprise"].items():
            hazards = [h for h in self.now["hazard"].values() if h.enterprise_id == key]
            assert row.open_hazards == sum(h.status.name not in ("CLOSED", "DISMISSED") for h in hazards)
            visits = [i.submitted_at for i in self.now["inspection"].values() if i.enterprise_id == key]
            assert row.last_inspected_at == max((v for v in visits if v is not None), default=None)


@given(seed=st.integers(0, 2**32), data=st.data())
@settings(
    max_examples=examples(2),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
async def test_whoever_acts_at_random_finds_everything_in_order(
    databases: Databases, migrated_url: str, graph: Graph, seed: int, data: st.DataObject
) -> None:
    """What makes sense is chosen by the seed: Hypothesis would rather try the same again. The rest is drawn."""
    database = Database(await databases.new(migrated_url))
    world = await small_world(database)
    district = District(Desk(graph, database), world, await contents(database, *LOOKED_AT))
    random = Random(seed)
    for turn in range(400 if PROVING else 80):
        await district.something_happens(random)
        if turn % 5 == 0:
            await district.anybody_does_anything(data)
    await database.close()
    # It did get somewhere.
    assert district.done.total() > (100 if PROVING else 12)
    assert len(district.done) > (25 if PROVING else 6)
