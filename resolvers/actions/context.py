"""What an action works with: its transaction, its viewer, and the events that it records."""

import datetime as dt
import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

import models
from models import EventKind, HazardLevel, Role, Viewer, lifecycle
from models.db.tables import table_of
from models.reason import Reason
from resolvers.actions.change_tracker import ChangeTracker
from resolvers.actions.errors import ActionError, Conflict, IllegalTransition, InputError, InvalidInput, NotFound
from resolvers.actions.event_context import EventContext, enterprise_contexts
from resolvers.actions.offline import DEFAULT_RULES, OfflineRules, check_bounds, check_order, step_before
from resolvers.actions.sum_tracker import SumTracker
from resolvers.sql import authorization, selects
from resolvers.sql.predicates import Predicate
from resolvers.sql.readers import POSITION_AGE

R = TypeVar("R", bound=models.Row)

ActionResult = Mapping[str, Any]  # a row, or a list of rows (or WithReason), by name


@dataclass(frozen=True)
class ActionRequest:
    """One call of a mutation. A repeat has the same `client_mutation_id`, and must have the same `fingerprint`.

    `announced` are the kinds of inspections that enterprises are told of at the dispatch; `position_age` is the
    greatest age of an inspector's position that counts. `done` has the successes of an earlier call with the same id,
    for a mutation of many rows: None for a row that failed then. `occurred_at` is the time of the act that the client
    gives, and `offline` says within which bounds it counts.
    `device` is the device that sends the call, if it names itself.
    """

    mutation: str
    arguments: dict[str, Any]
    expected_version: int | None = None
    client_mutation_id: str | None = None
    fingerprint: str = ""
    announced: frozenset[models.InspectionKind] = frozenset()
    position_age: dt.timedelta = POSITION_AGE
    done: "list[Outcome | ActionError | None] | None" = None
    occurred_at: dt.datetime | None = None
    offline: OfflineRules = DEFAULT_RULES
    device: str | None = None


class OutcomeRow(NamedTuple):
    """A row of a success. Whoever wrote it may see it; any other row is for those who may read it.

    `reason` says why it is there, where the action gives reasons.
    """

    model: Any
    key: int
    written: bool
    reason: str | None = None


class WithReason(NamedTuple):
    """A row of an action's result, and why it is there."""

    row: Any
    reason: enum.Enum


@dataclass(frozen=True)
class Outcome:
    """A success: its rows by name, and the cursor of its last event.

    `results` has one of each row for a mutation of many rows, and is None for others. `by` is the identity of whoever
    did a row, if not whoever sent the call first.
    """

    rows: dict[str, OutcomeRow | list[OutcomeRow]]
    cursor: str
    results: "list[Outcome | ActionError | None] | None" = None
    by: str | None = None


@dataclass(eq=False)
class PendingEvent:
    """An event to append at the end of the transaction, and the row that it is about."""

    kind: EventKind
    row: Any
    from_status: str | None
    to_status: str | None
    enterprise_id: int | None
    zone_id: int | None
    venue_id: int | None
    major: bool
    automatic: bool
    changes: list[dict[str, Any]] | None = None  # None until they are final


@dataclass(eq=False)
class ActionContext:
    """The transaction of one action.

    `open_hazard_changes` counts, by enterprise, the hazards opened less those closed; `inspected_enterprises` have an
    inspection submitted now; `contexts_before` has the enterprises that the action moves or grades as they were.
    `counted` tracks what portraits count; `rejected` are the problems of the input so far. `now` is when the act
    arrived, `occurred_at` when it was done: the rows have this time, and so deadlines and indicators count by it.
    """

    session: AsyncSession
    viewer: Viewer
    now: dt.datetime
    zone: ZoneInfo
    request: ActionRequest
    pending_events: list[PendingEvent] = field(default_factory=list)
    contexts_before: dict[int, EventContext] = field(default_factory=dict)
    open_hazard_changes: Counter[int] = field(default_factory=Counter)
    inspected_enterprises: set[int] = field(default_factory=set)
    changes: ChangeTracker = field(default_factory=ChangeTracker)
    counted: SumTracker = field(default_factory=SumTracker)
    rejected: list[InputError] = field(default_factory=list)
    occurred_at: dt.datetime = field(init=False)

    def __post_init__(self) -> None:
        given, offline = self.request.occurred_at, self.request.offline
        self.occurred_at = self.now if given is None else min(given, self.now)
        if given is not None and (reason := check_bounds(given, self.now, offline)) is not None:
            self.reject("occurredAt", reason)

    @property
    def sqlite(self) -> bool:
        return self.session.get_bind().dialect.name == "sqlite"

    @property
    def position_age(self) -> dt.timedelta:
        """The greatest age of an inspector's position that counts."""
        return self.request.position_age

    @property
    def day(self) -> dt.date:
        """The day of the act in the district's time zone."""
        return self.occurred_at.astimezone(self.zone).date()

    # -- input --

    def reject(self, field: str, reason: Reason) -> None:
        """Note a problem of the input. The action goes on, so that the client learns of all; it will fail."""
        self.rejected.append(InputError(field, reason))

    def raise_rejected(self) -> None:
        """Raises InvalidInput if there are problems of the input."""
        if self.rejected:
            errors, self.rejected = self.rejected, []
            raise InvalidInput.of(errors)

    # -- rows --

    async def get(self, model: type[R], key: int) -> R:
        """The row, locked until the transaction ends. Raises NotFound, also where the viewer may not see the row."""
        row = (await self.find(model, [key])).get(key)
        if row is None:
            raise NotFound(model, key)
        return row

    async def find(self, model: type[R], keys: Iterable[int]) -> dict[int, R]:
        """By key, the rows that there are and that the viewer may see, locked until the transaction ends.

        Locks in ascending order, so that two actions cannot deadlock.
        """
        if not (wanted := sorted(set(keys))):
            return {}
        # A program needs only the scope that was checked for the mutation: `read` is for reading.
        program = self.viewer.role is Role.INTEGRATOR
        conditions = [] if program else authorization.row_conditions(model, self.viewer.visibility)
        statement = _locking_select(model, tuple(c.predicate for c in conditions), self.sqlite)
        values = selects.parameters(conditions, self) | {"wanted": wanted}
        return {row.id: row for row in (await self.session.execute(statement, values)).scalars()}

    async def get_all(self, model: type[R], keys: Sequence[int]) -> list[R]:
        """The rows in the order of the keys, each once. Raises NotFound."""
        rows = await self.find(model, keys)
        if missing := set(keys) - rows.keys():
            raise NotFound(model, min(missing))
        return [rows[key] for key in dict.fromkeys(keys)]

    async def get_subject(self, model: type[R], key: int) -> R:
        """The row that the mutation is about. Raises Conflict where it is not at the version the client expects."""
        row = await self.get(model, key)
        require_version(row, self.request.expected_version)
        if self.request.occurred_at is not None:
            self.occurred_after(await step_before(self.session, row))
        return row

    def occurred_after(self, step: dt.datetime | None) -> None:
        """Have the act follow a step. The input is rejected where it cannot have, by the time that the client gives."""
        if self.request.occurred_at is not None and step is not None:
            if (reason := check_order(self.occurred_at, step, self.request.offline)) is not None:
                self.reject("occurredAt", reason)
            self.occurred_at = max(self.occurred_at, step)

    async def add(self, row: R) -> R:
        """Insert the row, which gives it its key."""
        self.session.add(row)
        await self.session.flush()
        return row

    async def seen(self, model: type[models.Row], keys: set[int]) -> set[int]:
        """Those of these rows that the viewer may see, by the rights to read."""
        conditions, table = authorization.row_conditions(model, self.viewer.visibility), table_of(model)
        seen = sa.select(table.c.id).where(
            table.c.id.in_(keys), *selects.where([c.predicate for c in conditions], self.sqlite)
        )
        rows = await self.session.execute(seen, selects.parameters(conditions, self))
        return set(rows.scalars())

    async def exists(self, statement: sa.Select[Any]) -> bool:
        return (await self.session.execute(statement.limit(1))).first() is not None

    async def is_inspector_of(self, inspection_id: int) -> bool:
        """Whether the viewer is one of the inspection's inspectors."""
        link = table_of(models.InspectionInspector)
        return await self.exists(
            sa.select(link.c.id).where(
                link.c.inspection_id == inspection_id, link.c.inspector_id == self.viewer.inspector
            )
        )

    async def has_major_hazard(self, inspection_id: int) -> bool:
        """Whether the inspection found a major hazard."""
        hazard = table_of(models.Hazard)
        return await self.exists(
            sa.select(hazard.c.id).where(hazard.c.inspection_id == inspection_id, hazard.c.level == HazardLevel.MAJOR)
        )

    # -- events --

    def transition(self, cycle: str, row: Any, to: Any = None, *, major: bool = False) -> None:
        """Move the row along its life cycle by this mutation and record the event.

        `to` chooses where the mutation can lead to several states. Raises IllegalTransition.
        """
        mutation, current = self.request.mutation, row.status
        transition = lifecycle.find_transition(cycle, mutation, current, to)
        if transition is None:
            wanted = to or lifecycle.target_status(cycle, mutation)
            raise IllegalTransition(current.name, wanted.name, lifecycle.next_statuses(cycle, current))
        row.status = transition.to
        self.record(transition.kind, row, current, transition.to, major=major)

    def require_state(self, cycle: str, row: Any) -> None:
        """For a mutation that changes no status. Raises IllegalTransition where the row's status does not allow it."""
        [states] = [action.states for action in lifecycle.ACTIONS if action.mutation == self.request.mutation]
        if row.status not in states:
            current = row.status
            raise IllegalTransition(current.name, states[0].name, lifecycle.next_statuses(cycle, current))

    def record(
        self,
        kind: EventKind,
        row: Any,
        from_status: Any = None,
        to_status: Any = None,
        *,
        zone: int | None = None,
        major: bool = False,
        automatic: bool = False,
        changes: list[dict[str, Any]] | None = None,
    ) -> None:
        """Record an event about a row.

        The enterprise is the row itself, or the one that it refers to. `zone` is for a row without an enterprise;
        `automatic` says that nobody did it, so the event has no actor. `changes` are the event's own, if they are not
        the row's.
        """
        enterprise = row.id if isinstance(row, models.Enterprise) else getattr(row, "enterprise_id", None)
        before, after = (None if status is None else status.name for status in (from_status, to_status))
        venue = getattr(row, "venue_id", None)
        self.pending_events.append(
            PendingEvent(kind, row, before, after, enterprise, zone, venue, major, automatic, changes)
        )

    async def settle(self) -> None:
        """Make the changes of the events so far final. A row that changes again gets another version and event."""
        await self.session.flush()
        for event in self.pending_events:
            if event.changes is None:
                event.changes = self.changes.settle(event.row)

    async def snapshot(self, *enterprises: int) -> None:
        """Remember the enterprises' zones, rings and grades. To be called before they are moved or graded."""
        self.contexts_before.update(await enterprise_contexts(self.session, enterprises))


@cache
def _locking_select(model: type[R], predicates: tuple[Predicate, ...], sqlite: bool) -> sa.Select[R]:
    """Selects and locks the rows `wanted` that match the predicates."""
    table = table_of(model)
    wanted = table.c.id.in_(sa.bindparam("wanted", expanding=True))
    statement = sa.select(model).where(wanted, *selects.where(predicates, sqlite)).order_by(table.c.id)
    # FOR NO KEY UPDATE, because others' events refer to the enterprise and must not wait for this transaction.
    return statement.with_for_update(key_share=True)


def require_version(row: Any, expected: int | None) -> None:
    """Raises Conflict where the row is not at the version that the client expects, if it expects one."""
    version: int | None = getattr(row, "version", None)
    if None not in (expected, version) and version != expected:
        raise Conflict(type(row), row.id, version or 0)
