"""What somebody might do next in a district: mutations whose inputs make sense among the rows that there are."""

import datetime as dt
from collections import Counter
from random import Random
from typing import Any

import models
from models import Subject, Viewer
from schema.types import node_id
from tests.support import lifecycle_table
from tests.support.actors import DUTY, WALL, Contents, World, enterprise, inspector, program

LIFECYCLES = {
    Subject.HAZARD: "hazard",
    Subject.INSPECTION: "inspection",
    Subject.CASE: "case",
    Subject.DISPATCH: "dispatch",
    Subject.ASSISTANCE: "assistance",
}
START_MUTATIONS = ["hazardReport", "inspectionPlan", "dutyReportSubmit", "assistanceRequest", "dispatchRequest"]
START_MUTATIONS += [
    "casePropose",
    "stockReceive",
    "rainfallReport",
    "enterpriseGrade",
    "enterpriseUpsert",
    "warningIssue",
]
OTHER_MUTATIONS = [
    "controlMeasureAdd",
    "inspectorSetDuty",
    "inspectorReportPosition",
    "teamSetStandby",
    "expertSetStandby",
]
# What lifts something: the argument, the type of its id, and the table of its rows.
LIFT_MUTATIONS = {
    "controlMeasureLift": ("controlMeasure", "ControlMeasure", "control_measure"),
    "warningLift": ("warning", "Warning", "warning"),
}
# Where a life cycle ends before its time; taken seldom, so that others are seen as well.
EARLY_ENDS = {"DISMISSED", "CANCELLED", "NOT_FILED", "WITHDRAWN", "TRANSFERRED", "DECLINED", "RESOLVED"}
SUBMITTED_STATES = {"SUBMITTED", "IN_REVIEW", "CLOSED"}
STOCK = 100

# A step that a life cycle allows: of what, by its key, and the line of the table.
PossibleStep = tuple[Subject, int, lifecycle_table.Line]


def table_name(subject: Subject) -> str:
    name: str = getattr(models, subject.value).__tablename__
    return name


class ActionChooser:
    """Chooses mutations and their inputs. `rows` are those that there are now, for whoever acts to keep up to date."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: Contents = {}

    # -- who --

    def viewers(self) -> list[Viewer]:
        world = self.world
        some = [DUTY, DUTY, DUTY, world.officer, world.officer, inspector(world.other_inspector), world.own, world.own]
        return [*some, enterprise(world.other_enterprise), WALL, program(*models.Scope)]

    def somebody(self, random: Random) -> Viewer:
        return random.choice([*[DUTY] * 12, *self.viewers()])

    # -- what there is --

    def known(self, node: str) -> list[str]:
        """Ids of the rows of a type; only of what is guarded is there more than at the beginning."""
        if node in ("Zone", "Venue", "Evidence"):
            return [self.world.id(node.lower())]
        return [node_id.encode(node, key) for key in sorted(self.rows[table_name(Subject(node))])]

    def ways(self, subject: Subject, key: int | None = None) -> list[PossibleStep]:
        """The steps that life cycles allow, on rows that are there."""
        return [
            (subject, one, line)
            for one, row in self.rows[table_name(subject)].items()
            for line in lifecycle_table.steps(LIFECYCLES[subject])
            if row.status.name in line.sources and key in (None, one) and self._fits(line.mutation, one)
        ]

    def _fits(self, mutation: str, key: int) -> bool:
        """An extension is asked for once, and decided when it was asked for."""
        if mutation not in ("hazardRequestExtension", "hazardDecideExtension"):
            return True
        extensions = self.rows["deadline_extension"].values()
        asked = any(row.hazard_id == key and row.status.name == "REQUESTED" for row in extensions)
        return asked is (mutation == "hazardDecideExtension")

    # -- what to do --

    def begin(self, mutation: str, random: Random, now: dt.datetime) -> dict[str, Any]:
        """The input of a mutation that is about no row in some state of a life cycle."""
        given = dict(lifecycle_table.given(self.world, now)[mutation])
        if mutation == "casePropose":
            submitted = [k for k, row in sorted(self.rows["inspection"].items()) if row.status.name in SUBMITTED_STATES]
            few = [node_id.encode("Inspection", key) for key in submitted] if random.random() < 0.8 else []
            given["inspection"] = random.choice(few or [*self.known("Inspection"), node_id.encode("Inspection", 1)])
        elif mutation == "rainfallReport":
            given["millimetres"] = random.choice([0.0, 20.0, 50.0])
        elif mutation == "enterpriseUpsert":
            given |= self._registered(random)
        elif mutation == "inspectorReportPosition":
            given["position"] = somewhere(random)
        elif mutation in ("inspectorSetDuty", "teamSetStandby", "expertSetStandby"):
            given["onDuty" if "onDuty" in given else "onStandby"] = random.random() < 0.8
        elif mutation in LIFT_MUTATIONS:
            argument, node, name = LIFT_MUTATIONS[mutation]
            given[argument] = node_id.encode(node, random.choice(self._in_force(name)))
        return given

    def _registered(self, random: Random) -> dict[str, Any]:
        """An enterprise that is there or new, which stays where it is or goes elsewhere."""
        row = self.rows["enterprise"][self.world.enterprise]
        stays = None if row.latitude is None else {"latitude": row.latitude, "longitude": row.longitude}
        found: dict[str, Any] = {"location": random.choice([None, stays, stays, somewhere(random)])}
        if random.random() < 0.3:
            found |= {"externalId": f"n{random.randrange(20)}{self.world.mark}", "name": f"新{random.randrange(100)}"}
        return found

    def _in_force(self, name: str) -> list[int]:
        return [key for key, row in sorted(self.rows[name].items()) if row.lifted_at is None]

    def step(self, way: PossibleStep, random: Random, now: dt.datetime) -> dict[str, Any]:
        """The input of a step."""
        subject, key, line = way
        argument, node = lifecycle_table.SUBJECTS[LIFECYCLES[subject]]
        given = {**lifecycle_table.given(self.world, now).get(line.mutation, {}), **line.extra}
        return given | {argument: node_id.encode(node, key), **self._chosen(random, line.mutation, key)}

    def _chosen(self, random: Random, mutation: str, key: int) -> dict[str, Any]:
        """What varies from time to time."""
        if mutation == "dispatchAssign":
            item = {"stockItem": self.world.id("stock_item"), "quantity": random.randint(1, STOCK)}
            one = random.choice(["team", "expert"])
            return random.choice([item, item, {"stockItem": None, "quantity": None, one: self.world.id(one)}])
        if mutation == "dispatchComplete":
            most = self.rows["dispatch"][key].quantity
            return {"drawn": None if most is None else random.randint(0, most)}
        if mutation == "inspectionSubmit":
            level, spot = random.choice(["GENERAL", "MAJOR"]), random.random() < 0.5
            finding = {"level": level, "description": "隐患", "fixedOnSpot": spot and level == "GENERAL"}
            count = random.randint(0, 3)
            return {"result": "HAZARDS_FOUND" if count else "PASS", "findings": [finding] * count}
        return {"approve": random.random() < 0.5} if mutation == "hazardDecideExtension" else {}

    def anything(self, random: Random, now: dt.datetime, done: Counter[str]) -> tuple[str, dict[str, Any]]:
        """A mutation that has a chance, sooner one that was seldom `done`, with its input."""
        ways: dict[str, list[PossibleStep]] = {name: [] for name in (*START_MUTATIONS, *OTHER_MUTATIONS)}
        ways |= {mutation: [] for mutation, (_, _, name) in LIFT_MUTATIONS.items() if self._in_force(name)}
        for subject in LIFECYCLES:
            for way in self.ways(subject):
                ways.setdefault(way[2].mutation, []).append(way)
        names = sorted(ways)
        mutation = random.choices(names, [1 / (1 + done[name]) for name in names])[0]
        if not ways[mutation]:
            return mutation, self.begin(mutation, random, now)
        return mutation, self.step(random.choice(ways[mutation]), random, now)


def somewhere(random: Random) -> dict[str, float]:
    """A point of the small district, or a little outside."""
    return {"latitude": random.uniform(30.0, 30.3), "longitude": random.uniform(120.0, 120.41)}
