"""Acting: one transaction that changes rows and, last, appends the events that tell of it.

An action is a function `(act, *, arguments) → {name: row or rows}`. It raises a Problem to be rolled back and told.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, UOWTransaction

import models
from models import EventKind, HazardLevel, Role, Viewer, lifecycle
from models.db.database import Database
from resolvers import reading, repeats, rights
from resolvers.changes import Changes
from resolvers.facts import Facts, facts_of, venue_facts
from resolvers.problems import Conflict, Forbidden, IllegalTransition, NotFound
from subscriptions import event_log

R = TypeVar("R", bound=models.Row)

Result = Mapping[str, Any]  # by name a row, or a list of rows
Body = Callable[..., Awaitable[Result]]

TRIES = 6
# PostgreSQL: serialization failure, deadlock, and a unique key that another transaction took first.
TRY_AGAIN = frozenset({"40001", "40P01", "23505"})


@dataclass(frozen=True)
class Outcome:
    """A success: its rows by name as (model, key) or lists of them, and the cursor of its last event."""

    rows: dict[str, Any]
    cursor: str


@dataclass(frozen=True)
class Request:
    """One call of a mutation: its name, its arguments, and what makes a repeat of it a repeat."""

    mutation: str
    arguments: dict[str, Any]
    expected_version: int | None = None
    client_mutation_id: str | None = None
    fingerprint: str = ""


@dataclass(eq=False)
class Draft:
    """An event to be: the row that it is about, and what else is known before the end."""

    kind: EventKind
    row: Any
    from_status: str | None
    to_status: str | None
    enterprise_id: int | None
    zone_id: int | None
    venue_id: int | None
    major: bool
    automatic: bool


@dataclass(eq=False)
class Act:
    """What an action has at hand."""

    session: AsyncSession
    viewer: Viewer
    now: dt.datetime
    zone: ZoneInfo
    request: Request
    drafts: list[Draft] = field(default_factory=list)
    before: dict[int, Facts] = field(default_factory=dict)
    opened: Counter[int] = field(default_factory=Counter)
    inspected: set[int] = field(default_factory=set)
    changes: Changes = field(default_factory=Changes)

    @property
    def sqlite(self) -> bool:
        return self.session.get_bind().dialect.name == "sqlite"

    @property
    def day(self) -> dt.date:
        """Today, in the district."""
        return self.now.astimezone(self.zone).date()

    # -- rows --

    async def get(self, model: type[R], key: int) -> R:
        """The row, locked until the end. Raises NotFound, also for what the viewer may not see."""
        # A program's scope, which was looked at before, is all that it needs: `read` is for reading.
        program = self.viewer.role is Role.INTEGRATOR
        conditions = [] if program else rights.scope(model, self.viewer.visibility)
        table = model.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
        where = reading.where([c.clause for c in conditions], self.sqlite)
        # With key_share, because the events of others, which name an enterprise, must not wait for who changes it.
        statement = sa.select(model).where(table.c.id == key, *where).with_for_update(key_share=True)
        values = reading.parameters(conditions, self)
        row: R | None = (await self.session.execute(statement, values)).scalar_one_or_none()
        if row is None:
            raise NotFound(model, key)
        return row

    async def get_all(self, model: type[R], keys: Sequence[int]) -> list[R]:
        """The rows in the order of the keys, each once; locked in one order by everybody, against deadlocks."""
        found = {key: await self.get(model, key) for key in sorted(set(keys))}
        return [found[key] for key in dict.fromkeys(keys)]

    async def subject(self, model: type[R], key: int) -> R:
        """The row that the mutation is about. Raises Conflict where the client saw another version of it."""
        row = await self.get(model, key)
        expected = self.request.expected_version
        version: int | None = getattr(row, "version", None)
        if None not in (expected, version) and version != expected:
            raise Conflict(model, key, version or 0)
        return row

    async def add(self, row: R) -> R:
        """A new row, with its key."""
        self.session.add(row)
        await self.session.flush()
        return row

    async def exists(self, statement: sa.Select[Any]) -> bool:
        return (await self.session.execute(statement.limit(1))).first() is not None

    async def carries_out(self, inspection_id: int) -> bool:
        """Whether the viewer is one of the inspection's inspectors."""
        link = models.InspectionInspector.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
        return await self.exists(
            sa.select(link.c.id).where(
                link.c.inspection_id == inspection_id, link.c.inspector_id == self.viewer.inspector
            )
        )

    async def major(self, inspection_id: int) -> bool:
        """Whether the inspection found a major hazard."""
        hazard = models.Hazard.__table__  # type: ignore[attr-defined]  # as above
        return await self.exists(
            sa.select(hazard.c.id).where(hazard.c.inspection_id == inspection_id, hazard.c.level == HazardLevel.MAJOR)
        )

    # -- events --

    def step(self, cycle: str, row: Any, to: Any = None, **known: Any) -> None:
        """Take the row's next step by this mutation, to `to` where it could be several. Raises IllegalTransition."""
        mutation, current = self.request.mutation, row.status
        line = lifecycle.transition(cycle, mutation, current, to)
        if line is None:
            wanted = to or lifecycle.wanted(cycle, mutation)
            raise IllegalTransition(current.name, wanted.name, lifecycle.legal(cycle, current))
        row.status = line.to
        self.record(line.kind, row, current, line.to, **known)

    def require_state(self, cycle: str, row: Any) -> None:
        """For a mutation that changes no status. Raises IllegalTransition where the row's status does not allow it."""
        [states] = [a.states for a in lifecycle.ACTIONS if a.mutation == self.request.mutation]
        if row.status not in states:
            current = row.status
            raise IllegalTransition(current.name, states[0].name, lifecycle.legal(cycle, current))

    def record(
        self,
        kind: EventKind,
        row: Any,
        from_status: Any = None,
        to_status: Any = None,
        *,
        enterprise: int | None = None,
        zone: int | None = None,
        major: bool = False,
        automatic: bool = False,
    ) -> None:
        """An event about a row. `zone` only where there is no enterprise; `automatic` where nobody did it."""
        if enterprise is None:
            enterprise = row.id if isinstance(row, models.Enterprise) else getattr(row, "enterprise_id", None)
        before, after = (None if status is None else status.name for status in (from_status, to_status))
        venue = getattr(row, "venue_id", None)
        self.drafts.append(Draft(kind, row, before, after, enterprise, zone, venue, major, automatic))

    async def remember(self, enterprise: models.Enterprise) -> None:
        """Keep where an enterprise is, before it is moved or graded."""
        self.before.update(await facts_of(self.session, [enterprise.id]))


async def act(
    database: Database,
    viewer: Viewer,
    now: dt.datetime,
    zone: ZoneInfo,
    request: Request,
    body: Body,
    rung: Callable[[], Awaitable[None]],
) -> Outcome:
    """Carry out one mutation. Raises Problem. `rung` is called after the commit of an action that left events."""
    if not lifecycle.may(viewer, request.mutation):
        raise Forbidden("Your role does not allow that.")
    for attempt in range(1, TRIES + 1):
        try:
            outcome, wrote = await _once(database, viewer, now, zone, request, body)
        except sa.exc.DBAPIError as error:
            if attempt == TRIES or getattr(error.orig, "sqlstate", None) not in TRY_AGAIN:
                raise
            await asyncio.sleep(0.01 * attempt)
            continue
        if wrote:
            await rung()
        return outcome
    raise AssertionError("the last try returns or raises")


async def _once(
    database: Database, viewer: Viewer, now: dt.datetime, zone: ZoneInfo, request: Request, body: Body
) -> tuple[Outcome, bool]:
    async with database.write() as session:
        session.autoflush = False
        acting = Act(session, viewer, now, zone, request)
        key = repeats.key(viewer, request.client_mutation_id)
        if key is not None and (kept := await repeats.first(session, key, request.fingerprint, now)) is not None:
            return Outcome(repeats.rows(kept["rows"]), kept["cursor"]), False

        @sa.event.listens_for(session.sync_session, "before_flush")
        def before_flush(session: Session, context: UOWTransaction, instances: Any) -> None:
            acting.changes.note(session, now)

        found = await body(acting, **request.arguments)
        numbers = await _finish(acting)
        state = await event_log.state(await session.connection())
        outcome = Outcome(
            {
                name: [(type(r), r.id) for r in rows] if isinstance(rows, list) else (type(rows), rows.id)
                for name, rows in found.items()
            },
            state.name(numbers[-1]) if numbers else state.cursor,
        )
        if key is not None:
            await repeats.keep(session, key, request.fingerprint, outcome.rows, outcome.cursor, now)
        return outcome, bool(numbers)


async def _finish(acting: Act) -> list[int]:
    """Write what is left to write, and append the events; their numbers."""
    session = acting.session
    await session.flush()
    acting.changes.check({id(draft.row) for draft in acting.drafts})
    enterprise = models.Enterprise.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
    for key in sorted(acting.opened.keys() | acting.inspected):
        values: dict[Any, Any] = {}
        if acting.opened[key]:
            values[enterprise.c.open_hazards] = enterprise.c.open_hazards + acting.opened[key]
        if key in acting.inspected:
            values[enterprise.c.last_inspected_at] = acting.now
        if values:
            await session.execute(sa.update(enterprise).where(enterprise.c.id == key).values(values))
    if not acting.drafts:
        return []
    concerned = sorted({d.enterprise_id for d in acting.drafts if d.enterprise_id is not None})
    after = await facts_of(session, concerned)
    at_venues = await venue_facts(session, sorted({d.venue_id for d in acting.drafts if d.venue_id is not None}))
    return await event_log.append(session, [_event(acting, draft, after, at_venues) for draft in acting.drafts])


def _event(acting: Act, draft: Draft, after: dict[int, Facts], at_venues: dict[int, Facts]) -> dict[str, Any]:
    """The row of the log."""
    venue = at_venues.get(draft.venue_id or 0, Facts())
    now = after.get(draft.enterprise_id or 0, Facts(zone_id=draft.zone_id or venue.zone_id))
    then = acting.before.get(draft.enterprise_id or 0, now)
    both = [now, then, venue]
    risks = [f.risk for f in both if f.risk is not None]
    viewer = acting.viewer
    return {
        "at": acting.now,
        "kind": draft.kind,
        "subject": draft.kind.subject,
        "subject_id": draft.row.id,
        "actor_role": None if draft.automatic else viewer.role,
        "actor_name": None if draft.automatic else viewer.name,
        "from_status": draft.from_status,
        "to_status": draft.to_status,
        "changes": acting.changes.of(draft.row),
        "enterprise_id": draft.enterprise_id,
        "zone_id": now.zone_id,
        "zones": frozenset(f.zone_id for f in both if f.zone_id is not None),
        "rings": now.rings | then.rings | venue.rings,
        "venues": now.venues | then.venues | venue.venues,
        "risk": max(risks, key=lambda r: r.value) if risks else None,
        "major": draft.major,
    }
