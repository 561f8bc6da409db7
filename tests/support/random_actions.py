"""Chooses random mutations whose inputs make sense for the existing rows."""

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
# Mutations that lift something: the argument, the type of its id, and the table.
LIFT_MUTATIONS = {
    "controlMeasureLift": ("controlMeasure", "ControlMeasure", "control_measure"),
    "warningLift": ("warning", "Warning", "warning"),
}
# States that end a life cycle early. They are chosen seldom, so that other states are reached as well.
EARLY_ENDS = {"DISMISSED", "CANCELLED", "NOT_FILED", "WITHDRAWN", "TRANSFERRED", "DECLINED", "RESOLVED"}
SUBMITTED_STATES = {"SUBMITTED", "IN_REVIEW", "CLOSED"}
STOCK = 100

# A step that a life cycle allows: the subject, its key, and the line of the life cycle's table.
PossibleStep = tuple[Subject, int, lifecycle_table.Line]


def table_name(subject: Subject) -> str:
    name: str = getattr(models, subject.value).__tablename__
    return name


class ActionChooser:
    """Chooses mutations and their inputs. The caller keeps `rows` up to date."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: Contents = {}

    # -- viewers --

    def viewers(self) -> list[Viewer]:
        world = self.world
        staff = [DUTY, DUTY, DUTY, world.officer, world.officer, inspector(world.other_inspector), world.own, world.own]
        return [*staff, enterprise(world.other_enterprise), WALL, program(*models.Scope)]

    def random_viewer(self, random: Random) -> Viewer:
        """A viewer who mostly may do everything."""
        return random.choice([*[DUTY] * 12, *self.viewers()])

    # -- existing rows --

    def ids(self, node: str) -> list[str]:
        """Ids of the rows of a type. Of zones, venues and evidence there is only the initial one."""
        if node in ("Zone", "Venue", "Evidence"):
            return [self.world.id(node.lower())]
        return [node_id.encode(node, key) for key in sorted(self.rows[table_name(Subject(node))])]

    def steps(self, subject: Subject, key: int | None = None) -> list[PossibleStep]:
        """The steps that life cycles allow on existing rows."""
        return [
            (subject, row_key, line)
            for row_key, row in self.rows[table_name(subject)].items()
            for line in lifecycle_table.transitions_of(LIFECYCLES[subject])
            if row.status.name in line.sources and key in (None, row_key) and self._fits(line.mutation, row_key)
        ]

    def _fits(self, mutation: str, key: int) -> bool:
        """An extension is requested only where none is pending, and decided only where one is."""
        if mutation not in ("hazardRequestExtension", "hazardDecideExtension"):
            return True
        extensions = self.rows["deadline_extension"].values()
        pending = any(row.hazard_id == key and row.status.name == "REQUESTED" for row in extensions)
        return pending is (mutation == "hazardDecideExtension")

    # -- inputs --

    def input(self, mutation: str, random: Random, now: dt.datetime) -> dict[str, Any]:
        """The input of a mutation that needs no row in a certain state."""
        arguments = dict(lifecycle_table.valid_inputs(self.world, now)[mutation])
        if mutation == "casePropose":
            submitted = [k for k, row in sorted(self.rows["inspection"].items()) if row.status.name in SUBMITTED_STATES]
            submitted_ids = [node_id.encode("Inspection", key) for key in submitted] if random.random() < 0.8 else []
            arguments["inspection"] = random.choice(
                submitted_ids or [*self.ids("Inspection"), node_id.encode("Inspection", 1)]
            )
        elif mutation == "rainfallReport":
            arguments["millimetres"] = random.choice([0.0, 20.0, 50.0])
        elif mutation == "enterpriseUpsert":
            arguments |= self._registration(random)
        elif mutation == "inspectorReportPosition":
            arguments["position"] = somewhere(random)
        elif mutation in ("inspectorSetDuty", "teamSetStandby", "expertSetStandby"):
            arguments["onDuty" if "onDuty" in arguments else "onStandby"] = random.random() < 0.8
        elif mutation in LIFT_MUTATIONS:
            argument, node, name = LIFT_MUTATIONS[mutation]
            arguments[argument] = node_id.encode(node, random.choice(self._in_force(name)))
        return arguments

    def _registration(self, random: Random) -> dict[str, Any]:
        """An existing or a new enterprise, which keeps its place or moves."""
        row = self.rows["enterprise"][self.world.enterprise]
        place = None if row.latitude is None else {"latitude": row.latitude, "longitude": row.longitude}
        registration: dict[str, Any] = {"location": random.choice([None, place, place, somewhere(random)])}
        if random.random() < 0.3:
            registration |= {
                "externalId": f"n{random.randrange(20)}{self.world.mark}",
                "name": f"新{random.randrange(100)}",
            }
        return registration

    def _in_force(self, name: str) -> list[int]:
        return [key for key, row in sorted(self.rows[name].items()) if row.lifted_at is None]

    def step_input(self, step: PossibleStep, random: Random, now: dt.datetime) -> dict[str, Any]:
        """The input of a step."""
        subject, key, line = step
        argument, node = lifecycle_table.SUBJECTS[LIFECYCLES[subject]]
        arguments = {**lifecycle_table.valid_inputs(self.world, now).get(line.mutation, {}), **line.extra}
        return arguments | {argument: node_id.encode(node, key), **self._varied(random, line.mutation, key)}

    def _varied(self, random: Random, mutation: str, key: int) -> dict[str, Any]:
        """Random values for some arguments of a step."""
        if mutation == "dispatchAssign":
            item = {"stockItem": self.world.id("stock_item"), "quantity": random.randint(1, STOCK)}
            resource = random.choice(["team", "expert"])
            return random.choice([item, item, {"stockItem": None, "quantity": None, resource: self.world.id(resource)}])
        if mutation == "dispatchComplete":
            quantity = self.rows["dispatch"][key].quantity
            return {"drawn": None if quantity is None else random.randint(0, quantity)}
        if mutation == "inspectionSubmit":
            level, spot = random.choice(["GENERAL", "MAJOR"]), random.random() < 0.5
            finding = {"level": level, "description": "隐患", "fixedOnSpot": spot and level == "GENERAL"}
            count = random.randint(0, 3)
            return {"result": "HAZARDS_FOUND" if count else "PASS", "findings": [finding] * count}
        return {"approve": random.random() < 0.5} if mutation == "hazardDecideExtension" else {}

    def anything(self, random: Random, now: dt.datetime, successes: Counter[str]) -> tuple[str, dict[str, Any]]:
        """A mutation that may succeed, preferably one with few `successes` so far, and its input."""
        steps: dict[str, list[PossibleStep]] = {name: [] for name in (*START_MUTATIONS, *OTHER_MUTATIONS)}
        steps |= {mutation: [] for mutation, (_, _, name) in LIFT_MUTATIONS.items() if self._in_force(name)}
        for subject in LIFECYCLES:
            for step in self.steps(subject):
                steps.setdefault(step[2].mutation, []).append(step)
        names = sorted(steps)
        mutation = random.choices(names, [1 / (1 + successes[name]) for name in names])[0]
        if not steps[mutation]:
            return mutation, self.input(mutation, random, now)
        return mutation, self.step_input(random.choice(steps[mutation]), random, now)


def somewhere(random: Random) -> dict[str, float]:
    """A point of the small district, or a little outside."""
    return {"latitude": random.uniform(30.0, 30.3), "longitude": random.uniform(120.0, 120.41)}
