"""The briefing for a handover: what the command centre took over, what came, what was done, and what waits.

An item waits while the command centre has to act on it. The log says what each item's status was after any event, so
the items that waited at the beginning follow from those that wait now and from the events since. One statement reads
both, so the numbers add up.
"""

import datetime as dt
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam

import models
from models import (
    AssistanceStatus,
    CaseStatus,
    DispatchStatus,
    EventKind,
    ExtensionStatus,
    HazardLevel,
    HazardStatus,
    InspectionStatus,
    RiskGrade,
    Role,
    Subject,
)
from models.db.tables import table_of
from models.reason import Reason
from models.visibility import COMMAND
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import timeline
from resolvers.sql.readers import Reader
from resolvers.sql.selects import without_index
from subscriptions.event_log import EVENT, CursorRefused, LogState


class BriefingKind(enum.Enum):
    """Kinds of items, in the order in which a briefing lists them."""

    ASSISTANCE = "assistance"
    HAZARD = "hazard"
    EXTENSION = "extension"
    INSPECTION = "inspection"
    CASE = "case"
    DISPATCH = "dispatch"


@dataclass(frozen=True)
class Noun:
    """The model and subject of the items of a kind, and the statuses in which the command centre has to act."""

    model: Any
    subject: Subject
    waiting: frozenset[Any]


NOUNS = {
    BriefingKind.ASSISTANCE: Noun(models.AssistanceRequest, Subject.ASSISTANCE, frozenset({AssistanceStatus.OPEN})),
    BriefingKind.HAZARD: Noun(
        models.Hazard,
        Subject.HAZARD,
        frozenset(
            {HazardStatus.FOUND, HazardStatus.UNDER_REVIEW, HazardStatus.PENDING_ACCEPTANCE, HazardStatus.ACCEPTED}
        ),
    ),
    BriefingKind.INSPECTION: Noun(
        models.Inspection, Subject.INSPECTION, frozenset({InspectionStatus.SUBMITTED, InspectionStatus.IN_REVIEW})
    ),
    BriefingKind.CASE: Noun(
        models.Case, Subject.CASE, frozenset({CaseStatus.PROPOSED, CaseStatus.NOTIFIED, CaseStatus.HEARING})
    ),
    BriefingKind.DISPATCH: Noun(
        models.Dispatch, Subject.DISPATCH, frozenset({DispatchStatus.REQUESTED, DispatchStatus.DECLINED})
    ),
}
ASKED, DECIDED, LAPSED = "REQUESTED", "DECIDED", "LAPSED"  # statuses of an extension here

ITEMS_MAXIMUM = 50_000  # items read for one briefing
LINES_MAXIMUM = 100  # items of a section that are listed one by one
WITHOUT_HANDOVER = dt.timedelta(hours=24)  # what a briefing covers where nobody has signed before
EVENTS_MAXIMUM = 50_000  # events read for one briefing: the last ones
NOT_BUREAU = (None, Role.ENTERPRISE)  # roles of actors whose acts are not the bureau's
GRAVE = frozenset({RiskGrade.RED, RiskGrade.ORANGE})


@dataclass(frozen=True, slots=True)
class Line:
    """One item, as (model, key), with the last change of its status, which is None for an item of an import."""

    kind: BriefingKind
    status: str
    item: tuple[Any, int]
    event: tuple[Any, int] | None


@dataclass(frozen=True, slots=True)
class Group:
    """Items of one kind and status that are not listed one by one, and the first and last of their events."""

    kind: BriefingKind
    status: str
    count: int
    first_event: tuple[Any, int] | None
    last_event: tuple[Any, int] | None


@dataclass(frozen=True, slots=True)
class Section:
    count: int
    lines: list[Line]
    rest: list[Group]


@dataclass(frozen=True, slots=True)
class Briefing:
    """The numbers add up: taken over + arrived − done − lapsed = waiting.

    `cut` says that the span would begin earlier, but has too many events.
    """

    after: str
    cursor: str
    since: dt.datetime | None
    as_of: dt.datetime
    cut: bool
    handover: tuple[Any, int] | None
    taken_over: int
    arrived: Section
    done: Section
    lapsed: Section
    waiting: Section


async def current(reader: Reader, parents: Sequence[tuple[()]], *, after: str | None = None) -> list[Briefing | None]:
    """The briefing for a commander, None for others. Raises RequestError for a bad cursor or too many items."""
    log = await timeline.state(reader)
    try:
        given = None if after is None else log.number(after)
    except CursorRefused as error:
        raise RequestError(ErrorCode(error.code), error.reason) from None
    if not reader.viewer.visibility.allows(COMMAND):
        return [None] * len(parents)
    handover, start = await _last_signature(reader)
    if given is not None:
        start = given
    elif start is None:
        start = await _first_of_last_day(reader, log)
    briefing = await _brief(reader, log, start, handover)
    return [briefing] * len(parents)


async def _last_signature(reader: Reader) -> tuple[tuple[Any, int] | None, int | None]:
    """The handover that the viewer signed or took over last, and the number of the event of that."""
    rows = await reader.rows(_signatures(), {"identity": reader.viewer.identity})
    if not rows:
        return None, None
    [row] = rows
    return (models.Handover, row.id), row.number


@lru_cache
def _signatures() -> sa.Select[Any]:
    handover = table_of(models.Handover)
    identity = bindparam("identity", type_=sa.String)
    left = sa.select(handover.c.id, sa.literal(EventKind.HANDOVER_SIGNED.name).label("kind")).where(
        handover.c.leaving == identity
    )
    arrived = sa.select(handover.c.id, sa.literal(EventKind.HANDOVER_TAKEN.name).label("kind")).where(
        handover.c.arriving == identity
    )
    own = sa.union_all(left, arrived).subquery("own")
    event_is_of = sa.and_(
        EVENT.c.subject == Subject.HANDOVER,
        EVENT.c.subject_id == own.c.id,
        sa.type_coerce(EVENT.c.kind, sa.String) == own.c.kind,
    )
    number = EVENT.c.id.label("number")
    return sa.select(own.c.id, number).join_from(own, EVENT, event_is_of).order_by(number.desc()).limit(1)


async def _first_of_last_day(reader: Reader, log: LogState) -> int:
    """The number of the last event before the last 24 hours, or of one that is too early to be read from."""
    low = log.head - EVENTS_MAXIMUM - 1
    rows = await reader.rows(_day_start(), {"since": reader.now - WITHOUT_HANDOVER, "low": low})
    return max(0, rows[0].first - 1) if rows[0].first is not None else log.head


@lru_cache
def _day_start() -> sa.Select[Any]:
    since = bindparam("since", type_=EVENT.c.at.type)
    recent = sa.and_(EVENT.c.id > bindparam("low", type_=sa.Integer), EVENT.c.at >= since)
    return sa.select(sa.func.min(EVENT.c.id).label("first")).where(recent)


async def _brief(reader: Reader, log: LogState, wanted: int, handover: tuple[Any, int] | None) -> Briefing:
    start = max(wanted, log.head - EVENTS_MAXIMUM)
    began = await reader.rows(_time_of(), {"number": start})
    rows = await reader.rows(_items(reader.sqlite), {"after": start, "n": ITEMS_MAXIMUM + 1})
    if len(rows) > ITEMS_MAXIMUM:
        reason = Reason("BRIEFING_SIZE", "More than {maximum:,} items: begin later.", maximum=ITEMS_MAXIMUM)
        raise RequestError(ErrorCode.TOO_LARGE, reason)
    waiting = {(row.kind, row.key): row for row in rows if not row.changed}
    changed = [row for row in rows if row.changed and (row.waited_before or row.waited)]
    arrived = [row for row in changed if not row.waited_before]
    ended = [row for row in changed if (row.kind, row.key) not in waiting]
    return Briefing(
        after=log.cursor_of(start),
        cursor=log.cursor,
        since=began[0].at if began else None,
        as_of=reader.now,
        cut=start > wanted,
        handover=handover,
        taken_over=len(waiting) - len(arrived) + len(ended),
        arrived=_section(arrived),
        done=_section([row for row in ended if row.ended_by not in NOT_BUREAU]),
        lapsed=_section([row for row in ended if row.ended_by in NOT_BUREAU]),
        waiting=_section([*waiting.values()]),
    )


def _section(rows: Sequence[Any]) -> Section:
    """Requests for help, major hazards and items of enterprises with a high risk stand in lines, the rest in groups."""
    kinds = [kind.name for kind in BriefingKind]
    ordered = sorted(rows, key=lambda row: (not _is_grave(row), kinds.index(row.kind), row.last or 0, row.key))
    lines = [row for row in ordered if _is_grave(row)][:LINES_MAXIMUM]
    groups: dict[tuple[str, str], list[Any]] = {}
    for row in ordered[len(lines) :]:
        groups.setdefault((row.kind, row.status), []).append(row)
    return Section(
        len(rows),
        [Line(BriefingKind[r.kind], r.status, (_noun(r.kind).model, r.key), _event(r.last)) for r in lines],
        [_group(kind, status, members) for (kind, status), members in groups.items()],
    )


def _is_grave(row: Any) -> bool:
    return row.kind == BriefingKind.ASSISTANCE.name or row.major or row.risk in GRAVE


def _group(kind: str, status: str, rows: Sequence[Any]) -> Group:
    numbers = [row.last for row in rows if row.last is not None]
    first, last = (min(numbers), max(numbers)) if numbers else (None, None)
    return Group(BriefingKind[kind], status, len(rows), _event(first), _event(last))


def _noun(kind: str) -> Noun:
    return NOUNS[BriefingKind.HAZARD if kind == BriefingKind.EXTENSION.name else BriefingKind[kind]]


def _event(number: int | None) -> tuple[Any, int] | None:
    return None if number is None else (models.Event, number)


# -- statements --


@lru_cache
def _time_of() -> sa.Select[Any]:
    earlier = EVENT.c.id <= bindparam("number", type_=sa.Integer)  # PostgreSQL may have left a number out
    return sa.select(EVENT.c.at).where(earlier).order_by(EVENT.c.id.desc()).limit(1)


@lru_cache
def _items(sqlite: bool) -> sa.Select[Any]:
    """The items whose status changed after the event `after`, and those that wait now; at most `n`.

    `last` is the number of the last event that changed the item's status, `status` the status since. Of a changed item
    `waited_before` says whether it waited before those events, and `waited` whether it did after any of them;
    `ended_by` is the role of whoever ended its last wait.
    """
    changed = [_changed(kind, noun, sqlite) for kind, noun in NOUNS.items()]
    waiting = [_waiting(kind, noun) for kind, noun in NOUNS.items()]
    items = sa.union_all(*changed, _changed_extensions(), *waiting, _waiting_extensions()).subquery("items")
    return sa.select(*items.c).limit(bindparam("n", type_=sa.Integer))


def _changed(kind: BriefingKind, noun: Noun, sqlite: bool) -> sa.Select[Any]:
    waited = _is_one_of(EVENT.c.to_status, noun.waiting)
    ended = sa.and_(_is_one_of(EVENT.c.from_status, noun.waiting), sa.not_(waited))
    # SQLite would read all events of the subject by its index, instead of the last ones.
    subject = without_index(EVENT.c.subject) if sqlite else EVENT.c.subject
    changes = _Changes(kind, sa.and_(subject == noun.subject, EVENT.c.to_status.is_not(None)), waited, ended)
    before = sa.func.coalesce(_is_one_of(changes.first.c.from_status, noun.waiting), sa.false())
    return changes.select(changes.last.c.to_status, before)


def _changed_extensions() -> sa.Select[Any]:
    asked, decided = EventKind.HAZARD_EXTENSION_REQUESTED, EventKind.HAZARD_EXTENSION_DECIDED
    kinds = (asked, decided, EventKind.HAZARD_EXTENSION_LAPSED)
    changes = _Changes(
        BriefingKind.EXTENSION,
        EVENT.c.kind.in_([sa.literal(kind, EVENT.c.kind.type, literal_execute=True) for kind in kinds]),
        waited=EVENT.c.kind == asked,
        ended=EVENT.c.kind != asked,
    )
    kind = changes.last.c.kind
    status = sa.case((kind == asked, ASKED), (kind == decided, DECIDED), else_=LAPSED)
    return changes.select(status, changes.first.c.kind != asked)


def _is_one_of(column: ColumnElement[Any], statuses: Iterable[enum.Enum]) -> ColumnElement[bool]:
    """True where a column of names has one of these members."""
    names = sorted(status.name for status in statuses)
    return column.in_([sa.literal(name, sa.String, literal_execute=True) for name in names])


class _Changes:
    """The events after `after` that changed the status of items: the first and the last of each item.

    `waited` says of an event whether the item waits after it, `ended` whether it ended a wait.
    """

    def __init__(
        self,
        kind: BriefingKind,
        events: ColumnElement[bool],
        waited: ColumnElement[bool],
        ended: ColumnElement[bool],
    ) -> None:
        self.kind, name = kind, kind.value
        columns = (
            EVENT.c.subject_id,
            sa.func.min(EVENT.c.id).label("first"),
            sa.func.max(EVENT.c.id).label("last"),
            sa.func.max(sa.case((waited, 1), else_=0)).label("waited"),
            sa.func.max(sa.case((ended, EVENT.c.id))).label("ended"),
        )
        new = EVENT.c.id > bindparam("after", type_=sa.Integer)
        self.ends = sa.select(*columns).where(new, events).group_by(EVENT.c.subject_id).subquery(f"{name}_ends")
        self.first, self.last, self.end = (EVENT.alias(f"{name}_{place}") for place in ("first", "last", "end"))

    def select(self, status: ColumnElement[Any], waited_before: ColumnElement[Any]) -> sa.Select[Any]:
        """The items. `status` and `waited_before` are expressions of the first and the last event."""
        ends, last, end = self.ends, self.last, self.end
        joined = ends.join(self.first, self.first.c.id == ends.c.first).join(last, last.c.id == ends.c.last)
        joined = joined.join(end, end.c.id == ends.c.ended, isouter=True)
        return sa.select(
            sa.literal_column(f"'{self.kind.name}'", sa.String).label("kind"),
            ends.c.subject_id.label("key"),
            sa.type_coerce(status, sa.String).label("status"),
            ends.c.last.label("last"),
            sa.true().label("changed"),
            waited_before.label("waited_before"),
            (ends.c.waited == 1).label("waited"),
            end.c.actor_role.label("ended_by"),
            last.c.risk.label("risk"),
            last.c.major.label("major"),
        ).select_from(joined)


def _waiting(kind: BriefingKind, noun: Noun) -> sa.Select[Any]:
    table = table_of(noun.model)
    changes = EVENT.alias(f"{kind.value}_changes")
    of_item = sa.and_(changes.c.subject == noun.subject, changes.c.subject_id == table.c.id)
    last = sa.select(sa.func.max(changes.c.id)).where(of_item, changes.c.to_status.is_not(None)).scalar_subquery()
    status = sa.type_coerce(table.c.status, sa.String)
    return _waiting_row(kind, table, status, last).where(_is_one_of(status, noun.waiting))


def _waiting_extensions() -> sa.Select[Any]:
    hazard, extension = table_of(models.Hazard), table_of(models.DeadlineExtension)
    changes = EVENT.alias("extension_changes")
    of_item = sa.and_(changes.c.subject == Subject.HAZARD, changes.c.subject_id == hazard.c.id)
    asked = changes.c.kind == EventKind.HAZARD_EXTENSION_REQUESTED
    last = sa.select(sa.func.max(changes.c.id)).where(of_item, asked).scalar_subquery()
    rows = _waiting_row(BriefingKind.EXTENSION, hazard, sa.literal_column(f"'{ASKED}'", sa.String), last)
    of_hazard = extension.c.hazard_id == hazard.c.id
    return rows.join(extension, of_hazard).where(extension.c.status == ExtensionStatus.REQUESTED)


def _waiting_row(kind: BriefingKind, table: sa.Table, status: ColumnElement[Any], last: Any) -> sa.Select[Any]:
    """The columns of `_Changes.select`, for rows of a noun's table."""
    enterprise = table_of(models.Enterprise)
    major = table.c.level == HazardLevel.MAJOR if table is table_of(models.Hazard) else sa.false()
    return sa.select(
        sa.literal_column(f"'{kind.name}'", sa.String).label("kind"),
        table.c.id.label("key"),
        status.label("status"),
        last.label("last"),
        sa.false().label("changed"),
        sa.true().label("waited_before"),
        sa.true().label("waited"),
        sa.cast(sa.null(), EVENT.c.actor_role.type).label("ended_by"),
        enterprise.c.risk_grade.label("risk"),
        major.label("major"),
    ).join_from(table, enterprise, enterprise.c.id == table.c.enterprise_id, isouter=True)
