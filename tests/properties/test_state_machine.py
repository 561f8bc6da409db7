"""Random actions by random viewers: after each one, log, versions, states and stock agree."""

import asyncio
import datetime as dt
import itertools
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import models
from models import Subject, Viewer
from models.db import portrait_sums
from models.db.database import Database
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import Databases
from tests.support import audit_table, lifecycle_table
from tests.support.actors import PROBLEMS, Contents, Desk, contents, document, small_world
from tests.support.input_strategies import inputs, root_fields
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.random_actions import (
    EARLY_ENDS,
    LIFECYCLES,
    START_MUTATIONS,
    STOCK,
    ActionChooser,
    PossibleStep,
    table_name,
)

MACHINES, STEPS = (20, 150) if PROVING else (2, 20)
# The steps that one rule takes a row along, at most. With one at a time few rows would reach the end of a life cycle.
WALK_STEPS = 8

# The nouns whose changes need an event, and their columns that change without one.
GUARDED: dict[Subject, set[str]] = {
    **{subject: set() for subject in Subject if subject is not Subject.REGISTER},
    Subject.INSPECTOR: {"latitude", "longitude", "position_at"},
    Subject.ENTERPRISE: {"open_hazards", "last_inspected_at", "updated_at"},
}
# The kinds of event that each mutation may append.
KINDS: dict[str, set[str]] = {
    "rainfallReport": {"WARNING_LIFTED"},
    "dispatchRelease": {"STOCK_FREED"},
    "dispatchCancel": {"STOCK_FREED"},
}
for step in audit_table.audit_steps():
    KINDS.setdefault(step.mutation, set()).update(expected.kind for expected in step.events)
# The tables that are read after each action.
TABLES_READ = [getattr(models, subject.value) for subject in GUARDED]
TABLES_READ += [models.Event, models.ClientMutation, models.InspectionInspector, models.DeadlineExtension]
OPEN = {"ASSIGNED", "ACKNOWLEDGED", "EN_ROUTE", "ON_SCENE", "COMPLETED"}
SEEDS = st.integers(0, 2**32)


@dataclass
class Tally:
    """Counts over all machines of a test."""

    machines: int = 0
    results: Counter[str] = field(default_factory=Counter)  # by type name or error code
    successes: Counter[str] = field(default_factory=Counter)  # by mutation
    events: int = 0


@dataclass
class Action:
    """One mutation: the type name or error code of its result, and all rows before and after it."""

    mutation: str
    result: str
    before: Contents
    after: Contents

    @property
    def refused(self) -> bool:
        return self.result in PROBLEMS or self.result == "BAD_VARIABLES"

    @property
    def events(self) -> list[Any]:
        """The events that it appended, in order."""
        return [row for key, row in sorted(self.after["event"].items()) if key not in self.before["event"]]

    def rows(self) -> Iterator[tuple[Subject, int, Any, Any, set[str], list[Any]]]:
        """Of every guarded row: subject, key, the row before (if any) and after, changed columns, its events."""
        for subject, unlogged in GUARDED.items():
            before, after = self.before[table_name(subject)], self.after[table_name(subject)]
            assert before.keys() <= after.keys()
            for key, row in after.items():
                old = before.get(key)
                changed = {n for n, v in row._mapping.items() if old is None or v != old._mapping[n]} - unlogged
                events = [event for event in self.events if (event.subject, event.subject_id) == (subject, key)]
                yield subject, key, old, row, changed, events


class District(RuleBasedStateMachine):
    """A district in a database of its own, in which time passes and people act.

    Hypothesis chooses the rules and draws inputs. It also draws a seed, which chooses among the actions that make sense
    in the current state: Hypothesis itself prefers to repeat choices.
    """

    def __init__(self, databases: Databases, template: str, graph: Graph, tally: Tally) -> None:
        super().__init__()
        self.graph, self.tally = graph, tally
        # A loop of its own: that of the tests does not run while Hypothesis does.
        self.loop = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.database = Database(self.run(databases.new(template)))
        self.desk = Desk(graph, self.database)
        self.world = self.run(small_world(self.database))
        self.chooser = ActionChooser(self.world)
        self.chooser.rows = self.run(contents(self.database, *TABLES_READ))
        self.received = self.turns = 0
        self.actions: list[Action] = []  # since the invariants were last checked
        tally.machines += 1

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run(coroutine)

    def teardown(self) -> None:
        self.tally.events += len(self.now["event"])
        self.run(self.database.close())
        self.loop.close()

    # -- rules --

    @initialize(seed=SEEDS)
    def rows_of_every_noun_exist(self, seed: int) -> None:
        """Without these, few rules would find a row to act on."""
        random = self.turn(seed)
        for mutation in START_MUTATIONS:
            self.begin(mutation, random)
        for subject in random.choices(list(LIFECYCLES), k=2 * len(LIFECYCLES)):
            self.walk(subject, random)

    @rule(mutation=st.sampled_from(START_MUTATIONS), seed=SEEDS)
    def a_row_is_created(self, mutation: str, seed: int) -> None:
        self.begin(mutation, self.turn(seed))

    @rule(seed=SEEDS)
    def several_dispatches_want_the_same_stock(self, seed: int) -> None:
        """Often more than there is."""
        random = self.turn(seed)
        for _ in range(3):
            self.begin("dispatchRequest", random)
        for dispatch in self.chooser.ids("Dispatch")[-3:]:
            item = {"stockItem": self.world.id("stock_item"), "quantity": random.randint(1, STOCK)}
            self.act(self.chooser.random_viewer(random), "dispatchAssign", {"dispatch": dispatch, **item})

    @precondition(lambda self: self.steps(Subject.HAZARD))
    @rule(seed=SEEDS)
    def a_hazard_advances(self, seed: int) -> None:
        self.walk(Subject.HAZARD, self.turn(seed))

    @precondition(lambda self: self.steps(Subject.INSPECTION))
    @rule(seed=SEEDS)
    def an_inspection_advances(self, seed: int) -> None:
        self.walk(Subject.INSPECTION, self.turn(seed))

    @precondition(lambda self: self.steps(Subject.CASE))
    @rule(seed=SEEDS)
    def a_case_advances(self, seed: int) -> None:
        self.walk(Subject.CASE, self.turn(seed))

    @precondition(lambda self: self.steps(Subject.DISPATCH))
    @rule(seed=SEEDS)
    def a_dispatch_advances(self, seed: int) -> None:
        self.walk(Subject.DISPATCH, self.turn(seed))

    @precondition(lambda self: self.steps(Subject.ASSISTANCE))
    @rule(seed=SEEDS)
    def a_request_for_assistance_advances(self, seed: int) -> None:
        self.walk(Subject.ASSISTANCE, self.turn(seed))

    @rule(seed=SEEDS, data=st.data())
    def a_random_viewer_sends_a_random_input(self, seed: int, data: st.DataObject) -> None:
        self.turn(seed)
        mutation, input_type = data.draw(st.sampled_from(sorted(root_fields(self.graph).items())))
        viewer = data.draw(st.sampled_from(self.chooser.viewers()))
        self.act(viewer, mutation, data.draw(inputs(input_type, self.chooser.ids)))

    def turn(self, seed: int) -> Random:
        """Let some time pass. Returns a generator by seed and turn, since Hypothesis often draws the same seed."""
        self.turns += 1
        self.actions.clear()
        random = Random(f"{seed}/{self.turns}")
        self.desk.later(dt.timedelta(minutes=random.randint(1, 60)))
        return random

    @property
    def now(self) -> Contents:
        """All rows as they are now."""
        return self.chooser.rows

    def begin(self, mutation: str, random: Random) -> None:
        self.act(self.chooser.random_viewer(random), mutation, self.chooser.input(mutation, random, self.desk.now))

    def steps(self, subject: Subject, key: int | None = None) -> list[PossibleStep]:
        """The steps that life cycles allow on existing rows."""
        return self.chooser.steps(subject, key)

    def walk(self, subject: Subject, random: Random) -> None:
        """Take a random row along some steps of its life cycle."""
        if not self.steps(subject):
            return
        key = random.choice([key for _, key, _ in self.steps(subject)])
        for _ in range(random.randint(1, WALK_STEPS)):
            steps = [step for step in self.steps(subject, key) if step[2].to not in EARLY_ENDS or random.random() < 0.1]
            if not steps:
                return
            step = random.choice(steps)
            arguments = self.chooser.step_input(step, random, self.desk.now)
            self.act(self.chooser.random_viewer(random), step[2].mutation, arguments)

    def act(self, viewer: Viewer, mutation: str, arguments: dict[str, Any]) -> None:
        operation = Operation(document(self.graph, mutation), {"input": arguments})
        response = self.run(self.desk.running.run(operation, viewer))
        assert {error["extensions"]["code"] for error in response.errors} <= {"BAD_VARIABLES"}
        result = response.data[mutation]["__typename"] if response.data else "BAD_VARIABLES"
        event(result)
        before, self.chooser.rows = self.now, self.run(contents(self.database, *TABLES_READ))
        action = Action(mutation, result, before, self.now)
        self.actions.append(action)
        self.tally.results[result] += 1
        if not action.refused:
            self.tally.successes[mutation] += 1
        if any(event.kind.name == "STOCK_RECEIVED" for event in action.events):
            self.received += arguments["quantity"]

    # -- invariants --

    @invariant()
    def a_refusal_changes_nothing(self) -> None:
        assert all(action.after == action.before for action in self.actions if action.refused)

    @invariant()
    def no_row_changes_without_its_event(self) -> None:
        for action in self.actions:
            assert {event.kind.name for event in action.events} <= KINDS.get(action.mutation, set())
            for subject, key, _, _, changed, events in action.rows():
                assert events or not changed, (action.mutation, subject, key, changed)

    @invariant()
    def a_version_rises_by_one_where_its_row_changes(self) -> None:
        for action in self.actions:
            for subject, key, old, row, changed, _ in action.rows():
                if old is not None and hasattr(row, "version"):
                    assert row.version == old.version + bool(changed), (action.mutation, subject, key, changed)

    @invariant()
    def events_follow_the_life_cycle_from_state_to_state(self) -> None:
        for action in self.actions:
            for subject, _, old, row, _, events in action.rows():
                if subject not in LIFECYCLES or not events:
                    continue
                states = [events[0].from_status, *(event.to_status for event in events)]
                assert (states[0], states[-1]) == (None if old is None else old.status.name, row.status.name)
                assert all(event.from_status == before for event, before in zip(events, states, strict=False))
                lines = [
                    line for line in lifecycle_table.CYCLES[LIFECYCLES[subject]] if line.mutation == action.mutation
                ]
                for before, after in itertools.pairwise(states):
                    allowed = any(before in line.sources and line.to == after for line in lines)
                    assert before is None or before == after or allowed, (action.mutation, before, after)

    @invariant()
    def stock_adds_up_and_is_never_below_zero(self) -> None:
        dispatches = [row for row in self.now["dispatch"].values() if row.stock_item_id is not None]
        [item] = self.now["stock_item"].values()
        assert item.quantity == STOCK + self.received - sum(row.drawn or 0 for row in dispatches)
        assert item.reserved == sum(row.quantity - (row.drawn or 0) for row in dispatches if row.status.name in OPEN)
        assert 0 <= item.reserved <= item.quantity

    @invariant()
    def the_counters_of_an_enterprise_match_its_rows(self) -> None:
        for key, row in self.now["enterprise"].items():
            hazards = [h for h in self.now["hazard"].values() if h.enterprise_id == key]
            assert row.open_hazards == sum(h.status.name not in ("CLOSED", "DISMISSED") for h in hazards)
            submitted = [i.submitted_at for i in self.now["inspection"].values() if i.enterprise_id == key]
            assert row.last_inspected_at == max((v for v in submitted if v is not None), default=None)

    @invariant()
    def the_sums_of_portraits_match_their_rows(self) -> None:
        if self.actions:
            assert self.run(self.different_sums()) == 0

    async def different_sums(self) -> int:
        async with self.database.read() as connection:
            return await portrait_sums.differences(connection)


def test_random_actions_keep_every_invariant(
    databases: Databases, migrated_url: str, graph: Graph, record_proof: RecordProof
) -> None:
    tally = Tally()

    class ThisDistrict(District):
        def __init__(self) -> None:
            super().__init__(databases, migrated_url, graph, tally)

    run_state_machine_as_test(
        ThisDistrict,
        settings=settings(
            max_examples=MACHINES,
            stateful_step_count=STEPS,
            deadline=None,
            # No shrinking: it takes minutes, and a shorter sequence gives other steps for the same seeds.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    # Many actions succeeded, of many kinds.
    assert tally.successes.total() > (1_000 if PROVING else 20)
    assert len(tally.successes) > (35 if PROVING else 8)
    refused = tally.results.total() - tally.successes.total()
    record_proof(
        "state_machine",
        "Machines that act at random: no row changes without its event",
        {
            "database": "SQLite" if "sqlite" in migrated_url else "PostgreSQL",
            "machines": tally.machines,
            "actions": f"{tally.results.total():,}",
            "accepted": f"{tally.successes.total():,}",
            "refused": f"{refused:,}",
            "of the mutations succeeded": f"{len(tally.successes)} of {len(lifecycle_table.MUTATIONS)}",
            "events": f"{tally.events:,}",
        },
    )
