"""Anybody does anything at random, and after each step the log, the versions, the states and the stock agree."""

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
from models.db.database import Database
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import Databases
from tests.support import audit_table, lifecycle_table
from tests.support.actors import PROBLEMS, Contents, Desk, contents, document, small_world
from tests.support.input_strategies import inputs, root_fields
from tests.support.proof_mode import PROVING
from tests.support.proofs import record
from tests.support.random_actions import (
    EARLY_ENDS,
    LIFECYCLES,
    START_MUTATIONS,
    STOCK,
    ActionChooser,
    PossibleStep,
    table_name,
)

MACHINES, STEPS = (20, 150) if PROVING else (3, 30)
# A rule takes a row on by so many steps at the most: one at a time would seldom get to the end of a life cycle.
WALK = 8

# What is guarded, and the columns of it that change without an event.
GUARDED: dict[Subject, set[str]] = {
    **{subject: set() for subject in Subject if subject is not Subject.REGISTER},
    Subject.INSPECTOR: {"latitude", "longitude", "position_at"},
    Subject.ENTERPRISE: {"open_hazards", "last_inspected_at", "updated_at"},
}
# The kinds of event that each mutation can leave.
KINDS: dict[str, set[str]] = {
    "rainfallReport": {"WARNING_LIFTED"},
    "dispatchRelease": {"STOCK_FREED"},
    "dispatchCancel": {"STOCK_FREED"},
}
for step in audit_table.steps():
    KINDS.setdefault(step.mutation, set()).update(told.kind for told in step.told)
# What is looked at after each action.
LOOKED_AT = [getattr(models, subject.value) for subject in GUARDED]
LOOKED_AT += [models.Event, models.ClientMutation, models.InspectionInspector, models.DeadlineExtension]
OPEN = {"ASSIGNED", "ACKNOWLEDGED", "EN_ROUTE", "ON_SCENE", "COMPLETED"}
SEEDS = st.integers(0, 2**32)


@dataclass
class Tally:
    """What all machines of a test did together."""

    machines: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    events: int = 0


@dataclass
class Act:
    """One mutation: what it was answered, all rows before and after it, and the events that it left."""

    mutation: str
    found: str
    before: Contents
    after: Contents

    @property
    def refused(self) -> bool:
        return self.found in PROBLEMS or self.found == "BAD_VARIABLES"

    @property
    def told(self) -> list[Any]:
        return [row for key, row in sorted(self.after["event"].items()) if key not in self.before["event"]]

    def rows(self) -> Iterator[tuple[Subject, int, Any, Any, set[str], list[Any]]]:
        """Every guarded row after it: what, its key, as it was (if it was), as it is, what changed, and its events."""
        for subject, aside in GUARDED.items():
            before, after = self.before[table_name(subject)], self.after[table_name(subject)]
            assert before.keys() <= after.keys()
            for key, row in after.items():
                old = before.get(key)
                changed = {n for n, v in row._mapping.items() if old is None or v != old._mapping[n]} - aside
                mine = [one for one in self.told if (one.subject, one.subject_id) == (subject, key)]
                yield subject, key, old, row, changed, mine


class District(RuleBasedStateMachine):
    """A district in a database of its own, where time passes and people act.

    Hypothesis chooses who does what kind of thing, and draws inputs; a seed that it draws chooses among what makes
    sense then, since it would rather try the same again.
    """

    def __init__(self, databases: Databases, template: str, graph: Graph, tally: Tally) -> None:
        super().__init__()
        self.graph, self.tally = graph, tally
        # Not the loop of the tests: that one is not running while Hypothesis has its say.
        self.loop = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.database = Database(self.run(databases.new(template)))
        self.desk = Desk(graph, self.database)
        self.world = self.run(small_world(self.database))
        self.doing = ActionChooser(self.world)
        self.doing.rows = self.run(contents(self.database, *LOOKED_AT))
        self.received = self.turns = 0
        # Those since the last look.
        self.acts: list[Act] = []
        tally.machines += 1

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run(what)

    def teardown(self) -> None:
        self.tally.events += len(self.now["event"])
        self.run(self.database.close())
        self.loop.close()

    # -- what can happen --

    @initialize(seed=SEEDS)
    def a_day_begins(self, seed: int) -> None:
        """There is something of each noun, or Hypothesis would often find nothing to go on with."""
        random = self.turn(seed)
        for mutation in START_MUTATIONS:
            self.begin(mutation, random)
        for subject in random.choices(list(LIFECYCLES), k=2 * len(LIFECYCLES)):
            self.walk(subject, random)

    @rule(mutation=st.sampled_from(START_MUTATIONS), seed=SEEDS)
    def something_begins(self, mutation: str, seed: int) -> None:
        self.begin(mutation, self.turn(seed))

    @rule(seed=SEEDS)
    def several_want_the_same_stock(self, seed: int) -> None:
        """More than there is, as often as not."""
        random = self.turn(seed)
        for _ in range(3):
            self.begin("dispatchRequest", random)
        for one in self.doing.known("Dispatch")[-3:]:
            item = {"stockItem": self.world.id("stock_item"), "quantity": random.randint(1, STOCK)}
            self.act(self.doing.somebody(random), "dispatchAssign", {"dispatch": one, **item})

    @precondition(lambda self: self.ways(Subject.HAZARD))
    @rule(seed=SEEDS)
    def a_hazard_goes_on(self, seed: int) -> None:
        self.walk(Subject.HAZARD, self.turn(seed))

    @precondition(lambda self: self.ways(Subject.INSPECTION))
    @rule(seed=SEEDS)
    def an_inspection_goes_on(self, seed: int) -> None:
        self.walk(Subject.INSPECTION, self.turn(seed))

    @precondition(lambda self: self.ways(Subject.CASE))
    @rule(seed=SEEDS)
    def a_case_goes_on(self, seed: int) -> None:
        self.walk(Subject.CASE, self.turn(seed))

    @precondition(lambda self: self.ways(Subject.DISPATCH))
    @rule(seed=SEEDS)
    def a_dispatch_goes_on(self, seed: int) -> None:
        self.walk(Subject.DISPATCH, self.turn(seed))

    @precondition(lambda self: self.ways(Subject.ASSISTANCE))
    @rule(seed=SEEDS)
    def a_call_for_help_goes_on(self, seed: int) -> None:
        self.walk(Subject.ASSISTANCE, self.turn(seed))

    @rule(seed=SEEDS, data=st.data())
    def anybody_does_anything(self, seed: int, data: st.DataObject) -> None:
        self.turn(seed)
        mutation, of = data.draw(st.sampled_from(sorted(root_fields(self.graph).items())))
        viewer = data.draw(st.sampled_from(self.doing.viewers()))
        self.act(viewer, mutation, data.draw(inputs(of, self.doing.known)))

    def turn(self, seed: int) -> Random:
        """Some time passes. What is random now: by the seed, and by the turn too, for the same seed comes often."""
        self.turns += 1
        self.acts.clear()
        random = Random(f"{seed}/{self.turns}")
        self.desk.later(dt.timedelta(minutes=random.randint(1, 60)))
        return random

    @property
    def now(self) -> Contents:
        """All rows."""
        return self.doing.rows

    def begin(self, mutation: str, random: Random) -> None:
        self.act(self.doing.somebody(random), mutation, self.doing.begin(mutation, random, self.desk.now))

    def ways(self, subject: Subject, key: int | None = None) -> list[PossibleStep]:
        """The steps that life cycles allow, on rows that are there."""
        return self.doing.ways(subject, key)

    def walk(self, subject: Subject, random: Random) -> None:
        """A row goes on by some steps."""
        if not self.ways(subject):
            return
        key = random.choice([one for _, one, _ in self.ways(subject)])
        for _ in range(random.randint(1, WALK)):
            ways = [way for way in self.ways(subject, key) if way[2].to not in EARLY_ENDS or random.random() < 0.1]
            if not ways:
                return
            way = random.choice(ways)
            given = self.doing.step(way, random, self.desk.now)
            self.act(self.doing.somebody(random), way[2].mutation, given)

    def act(self, viewer: Viewer, mutation: str, given: dict[str, Any]) -> None:
        operation = Operation(document(self.graph, mutation), {"input": given})
        answer = self.run(self.desk.running.run(operation, viewer))
        assert {error["extensions"]["code"] for error in answer.errors} <= {"BAD_VARIABLES"}
        found = answer.data[mutation]["__typename"] if answer.data else "BAD_VARIABLES"
        event(found)
        before, self.doing.rows = self.now, self.run(contents(self.database, *LOOKED_AT))
        one = Act(mutation, found, before, self.now)
        self.acts.append(one)
        self.tally.answers[found] += 1
        if not one.refused:
            self.tally.done[mutation] += 1
        if any(told.kind.name == "STOCK_RECEIVED" for told in one.told):
            self.received += given["quantity"]

    # -- what must hold --

    @invariant()
    def a_refusal_changes_nothing(self) -> None:
        assert all(act.after == act.before for act in self.acts if act.refused)

    @invariant()
    def no_row_changes_without_its_event(self) -> None:
        for act in self.acts:
            assert {one.kind.name for one in act.told} <= KINDS.get(act.mutation, set())
            for subject, key, _, _, changed, told in act.rows():
                assert told or not changed, (act.mutation, subject, key, changed)

    @invariant()
    def a_version_rises_by_one_where_its_row_changes(self) -> None:
        for act in self.acts:
            for subject, key, old, row, changed, _ in act.rows():
                if old is not None and hasattr(row, "version"):
                    assert row.version == old.version + bool(changed), (act.mutation, subject, key, changed)

    @invariant()
    def events_lead_from_each_state_to_the_next_as_the_life_cycle_allows(self) -> None:
        for act in self.acts:
            for subject, _, old, row, _, told in act.rows():
                if subject not in LIFECYCLES or not told:
                    continue
                states = [told[0].from_status, *(one.to_status for one in told)]
                assert (states[0], states[-1]) == (None if old is None else old.status.name, row.status.name)
                assert all(one.from_status == before for one, before in zip(told, states, strict=False))
                lines = [line for line in lifecycle_table.CYCLES[LIFECYCLES[subject]] if line.mutation == act.mutation]
                for before, after in itertools.pairwise(states):
                    allowed = any(before in line.sources and line.to == after for line in lines)
                    assert before is None or before == after or allowed, (act.mutation, before, after)

    @invariant()
    def stock_adds_up_and_is_never_below_zero(self) -> None:
        sent = [row for row in self.now["dispatch"].values() if row.stock_item_id is not None]
        [item] = self.now["stock_item"].values()
        assert item.quantity == STOCK + self.received - sum(row.drawn or 0 for row in sent)
        assert item.reserved == sum(row.quantity - (row.drawn or 0) for row in sent if row.status.name in OPEN)
        assert 0 <= item.reserved <= item.quantity

    @invariant()
    def what_an_enterprise_keeps_of_its_rows_is_what_counting_them_gives(self) -> None:
        for key, row in self.now["enterprise"].items():
            hazards = [h for h in self.now["hazard"].values() if h.enterprise_id == key]
            assert row.open_hazards == sum(h.status.name not in ("CLOSED", "DISMISSED") for h in hazards)
            visits = [i.submitted_at for i in self.now["inspection"].values() if i.enterprise_id == key]
            assert row.last_inspected_at == max((v for v in visits if v is not None), default=None)


def test_whoever_acts_at_random_finds_everything_in_order(
    databases: Databases, migrated_url: str, graph: Graph
) -> None:
    tally = Tally()

    class Here(District):
        def __init__(self) -> None:
            super().__init__(databases, migrated_url, graph, tally)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=MACHINES,
            stateful_step_count=STEPS,
            deadline=None,
            # Not to shrink: it takes minutes, and the seeds make other steps of shorter ones.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    # They did get somewhere.
    assert tally.done.total() > (1_000 if PROVING else 20)
    assert len(tally.done) > (35 if PROVING else 8)
    refused = tally.answers.total() - tally.done.total()
    record(
        "state_machine",
        "Machines that act at random",
        {
            "database": "SQLite" if "sqlite" in migrated_url else "PostgreSQL",
            "machines": tally.machines,
            "actions": f"{tally.answers.total():,}",
            "accepted": f"{tally.done.total():,}",
            "refused": f"{refused:,}",
            "of the mutations succeeded": f"{len(tally.done)} of {len(lifecycle_table.MUTATIONS)}",
            "events": f"{tally.events:,}",
            "rows without their event": 0,
        },
    )
