"""Changes of rows that portraits count, and what they mean to the sums.

A transaction that writes enterprises, hazards, inspections or cases, or moves enterprises, applies its changes while it
holds the log's append lock. So sums change one transaction at a time, and enterprises do not move meanwhile.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import models
from models import portrait_facts
from models.db.portrait_rows import FIELDS, Connection, Place, Visits, day_of, fold, read_visits
from models.db.portrait_sums import Additions, Scope, add_facts, recount, scopes_of, write
from models.portrait_facts import DayOf, Facts, inspected_days


@dataclass
class SumChanges:
    """Rows of FIELDS that a transaction writes, by model and id: before (None if new) and after.

    `moved` has the enterprises whose zone or rings may change, with the places that they had. `recounted` are scopes of
    which rings were deleted; then nothing else changes.
    """

    rows: dict[Any, dict[int, tuple[Any, Any]]] = field(default_factory=lambda: defaultdict(dict))
    moved: dict[int, Place] = field(default_factory=dict)
    recounted: set[Scope] = field(default_factory=set)

    def add(self, model: Any, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        """Note a row of one of the models of FIELDS by its values; rows of other models do not count."""
        if (fields := FIELDS.get(model)) is not None:
            old = None if before is None else fields(*(before[name] for name in fields._fields))
            new = fields(*(after[name] for name in fields._fields))
            self.rows[model][new.id] = old, new

    def changed(self, model: Any) -> list[tuple[Any, Any]]:
        return [(old, new) for old, new in self.rows[model].values() if old != new]

    def enterprises(self) -> set[int]:
        """The enterprises that the changes are about."""
        keys = {new.id for _, new in self.changed(models.Enterprise)}
        for model in (models.Hazard, models.Inspection, models.Case):
            keys |= {each.enterprise_id for pair in self.changed(model) for each in pair if each is not None}
        return keys | self.moved.keys()


async def apply(connection: Connection, changes: SumChanges, places: Mapping[int, Place], zone: ZoneInfo) -> None:
    """Add what the changes mean to the sums and sets; `places` is where their enterprises are now.

    To be called with the log's append lock, after the rows are written.
    """
    day = day_of(zone)
    for scope in sorted(changes.recounted):
        await recount(connection, scope, day)
    additions = Additions()
    deltas = _deltas(changes, day)
    await _add_visits(connection, changes, day, deltas, additions)
    left = {key: scopes_of(place) for key, place in changes.moved.items()}
    moved = {key for key, scopes in left.items() if scopes != scopes_of(places[key])}
    whole = await fold(connection, moved, day) if moved else {}
    for key in deltas.keys() | moved:
        delta, now = deltas.get(key, Counter()), scopes_of(places[key])
        before = left.get(key, now)
        additions.add(now & before, key, delta)
        if key in moved:
            former = whole[key].copy()
            add_facts(former, delta, -1)
            additions.add(now - before, key, whole[key])
            additions.add(before - now, key, former, -1)
    await write(connection, additions)


def _deltas(changes: SumChanges, day: DayOf) -> defaultdict[int, Facts]:
    """By enterprise, the facts after the changes less those before, without those of visits."""
    deltas: defaultdict[int, Facts] = defaultdict(Counter)
    adders: dict[Any, Callable[[Facts, Any], None]] = {
        models.Enterprise: portrait_facts.add_enterprise,
        models.Hazard: lambda facts, row: portrait_facts.add_hazard(facts, row, day),
        models.Case: lambda facts, row: portrait_facts.add_case(facts, row, day),
    }
    for model, add in adders.items():
        for old, new in changes.changed(model):
            for row, sign in ((old, -1), (new, 1)):
                if row is not None:
                    facts: Facts = Counter()
                    add(facts, row)
                    add_facts(deltas[row.id if model is models.Enterprise else row.enterprise_id], facts, sign)
    return deltas


async def _add_visits(
    connection: Connection, changes: SumChanges, day: DayOf, deltas: defaultdict[int, Facts], additions: Additions
) -> None:
    """Add the facts of visits to the deltas, and the days of inspections to the sets."""
    visited = _visited(changes)
    if not visited:
        return
    after = await read_visits(connection, visited)
    before = _before(after, changes)
    for key, visits in after.items():
        old, new = before[key].facts(day), visits.facts(day)
        add_facts(deltas[key], old, -1)
        add_facts(deltas[key], new)
        additions.sets.toggle_inspected(key, inspected_days(old), inspected_days(new))


def _visited(changes: SumChanges) -> set[int]:
    """The enterprises of whose inspections other facts may follow."""
    inspections = [p for p in changes.changed(models.Inspection) if any(i is not None and i.submitted_at for i in p)]
    rows = [*inspections, *changes.changed(models.Case)]
    retired = {
        new.id
        for old, new in changes.changed(models.Enterprise)
        if old is not None and (old.retired_at is None) != (new.retired_at is None)
    }
    return {row.enterprise_id for pair in rows for row in pair if row is not None} | retired


def _before(after: Mapping[int, Visits], changes: SumChanges) -> dict[int, Visits]:
    """The visits as they were before the changes."""
    before = {key: Visits(v.enterprise, dict(v.inspections), dict(v.cases)) for key, v in after.items()}
    for old, new in changes.changed(models.Enterprise):
        if old is not None and new.id in before:
            before[new.id].enterprise = old
    for model, attribute in ((models.Inspection, "inspections"), (models.Case, "cases")):
        for old, new in changes.changed(model):
            if new.enterprise_id in before:
                getattr(before[new.enterprise_id], attribute).pop(new.id, None)
            if old is not None and old.enterprise_id in before:
                getattr(before[old.enterprise_id], attribute)[old.id] = old
    return before
