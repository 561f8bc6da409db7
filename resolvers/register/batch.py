"""One batch of records: compared with what stands there, and written."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from models import HazardStatus
from resolvers.register import linked_rows, write
from resolvers.register.linked_rows import Links, Radii
from resolvers.register.match import ExistingRows, KeyIndex, changed_columns, mark_superseded, match_rows
from resolvers.register.placement import Geography, place_row
from resolvers.register.readers.record import Record
from resolvers.register.references import OTHER_ENTERPRISE, RowValues, not_found_reason, resolve_references
from resolvers.register.report import WARNING, Counts, Issue
from resolvers.register.rows import DraftRow, RowConverter
from resolvers.register.tables import TABLES


@dataclass(frozen=True)
class BatchContext:
    """What a batch stands on: the form of its sheet, the last lines of keys, the places, the district."""

    form: RowConverter
    seen: KeyIndex
    geography: Geography
    district_id: int


@dataclass
class BatchResult:
    """What a batch did: its counts, and what is to be said of its rows."""

    counts: Counts
    issues: list[Issue]

    @property
    def written(self) -> int:
        return self.counts.new + self.counts.changed


@dataclass
class _Comparison:
    """The drafts of a batch, and what stands there."""

    drafts: list[DraftRow]
    written: list[DraftRow]
    standing: ExistingRows
    links: Links = field(default_factory=dict)
    wanted_links: Links = field(default_factory=dict)
    radii: dict[int, Radii] = field(default_factory=dict)
    wanted_radii: dict[int, Radii] = field(default_factory=dict)
    new: list[DraftRow] = field(default_factory=list)
    changed: list[DraftRow] = field(default_factory=list)


async def import_batch(
    connection: AsyncConnection, ground: BatchContext, records: Sequence[Record], now: dt.datetime
) -> BatchResult:
    """Write what is new or changed among the records. Raises Stale where the batch must be done again."""
    form = ground.form
    compared = await _compare(connection, ground, records)
    await _write(connection, form, compared, now)
    drafts = compared.drafts
    bad = sum(draft.is_bad() for draft in drafts)
    new, changed = len(compared.new), len(compared.changed)
    warned = sum(not d.is_bad() and any(i.severity == WARNING for i in d.issues) for d in drafts)
    counts = Counts(len(drafts), new, changed, len(drafts) - bad - new - changed, bad, warned)
    return BatchResult(counts, [issue for draft in drafts for issue in draft.issues])


async def _compare(connection: AsyncConnection, ground: BatchContext, records: Sequence[Record]) -> _Comparison:
    form, table = ground.form, ground.form.table
    drafts = [form.draft(record) for record in records]
    good = [draft for draft in drafts if not draft.is_bad()]
    for draft in good:
        mark_superseded(form, draft, ground.seen.last(draft.keys[0]))
    await resolve_references(connection, form, good)
    good = [draft for draft in good if not draft.is_bad()]
    if table.name == "zones":
        for draft in good:
            draft.values["district_id"] = ground.district_id
    standing = await ExistingRows.read(connection, form, good)
    compared = _Comparison(drafts, match_rows(form, standing, good), standing)
    new = [draft for draft in compared.written if draft.id is None]
    for draft, key in zip(new, await write.reserve_ids(connection, table.rows, len(new)), strict=True):
        draft.id = key
    await _read_children(connection, form, compared)
    earlier: dict[str, DraftRow] = {}
    for draft in compared.written:
        _refer_within(form, draft, earlier)
        row = standing.rows.get(draft.id or 0)
        rings = place_row(form, ground.geography, draft, row)
        if not draft.is_bad():
            _check(form, draft, row)
        if not draft.is_bad():
            _decide(form, compared, draft, row, rings)
    return compared


def _refer_within(form: RowConverter, draft: DraftRow, earlier: dict[str, DraftRow]) -> None:
    """References to rows that stand earlier in the same batch, by key."""
    for name, (target, by) in form.references.items():
        text, column = draft.references.get(name), form.table.fields[name].column
        if target != form.table.name or text is None or column is None or draft.values[column] is not None:
            continue
        other = earlier.get(text)
        if other is None or other.is_bad():
            reason = not_found_reason(target, by or TABLES[target].keys) + ", or it stands further down"
            draft.issues.append(Issue(draft.line, form.column(name), text, reason))
        elif other.values.get("enterprise_id") != draft.values.get("enterprise_id"):
            draft.issues.append(Issue(draft.line, form.column(name), text, OTHER_ENTERPRISE))
        else:
            draft.values[column] = other.id
    for key in draft.keys:
        earlier[key[-1]] = draft


async def _read_children(connection: AsyncConnection, form: RowConverter, compared: _Comparison) -> None:
    rows = [draft.id for draft in compared.written if draft.id in compared.standing.rows]
    keys = [key for key in rows if key is not None]
    if form.table.name in linked_rows.LINKS:
        compared.links = await linked_rows.read_links(connection, form.table.name, keys)
    elif form.table.name == "venues":
        compared.radii = await linked_rows.read_radii(connection, keys)


def _check(form: RowConverter, draft: DraftRow, row: RowValues | None) -> None:
    """What the row would be as a whole must hold together."""
    whole: dict[str, Any] = {**(form.table.defaults if row is None else row), **draft.values}

    def wrong(name: str, reason: str) -> None:
        draft.issues.append(Issue(draft.line, form.column(name) if name in form.sheet.fields else name, "", reason))

    for of in form.table.required:
        if of.column is not None and whole[of.column] is None:
            wrong(of.name, "has no value")
    if form.table.name == "inspections" and row is not None and whole["enterprise_id"] != row["enterprise_id"]:
        # What came of it would stay behind.
        wrong("enterprise", "an inspection stays with the enterprise that was inspected")
    if form.table.name == "hazards" and (whole["status"] is HazardStatus.CLOSED) != (whole["closed_at"] is not None):
        wrong("closed_at", "a hazard has a time of closing if, and only if, it is CLOSED")
    if form.table.name == "stock" and whole["quantity"] < whole["reserved"]:
        wrong("quantity", f"less than the {whole['reserved']} that are reserved for dispatches")


def _decide(
    form: RowConverter, compared: _Comparison, draft: DraftRow, row: RowValues | None, rings: frozenset[int] | None
) -> None:
    """New, changed or neither. Children that the register says nothing of are as they are."""
    assert draft.id is not None
    linked = rings if form.table.name == "enterprises" else draft.inspectors
    other = False
    if linked is not None:
        compared.wanted_links[draft.id] = linked
        other = linked != compared.links.get(draft.id, frozenset())
    if draft.rings:
        old = compared.radii.get(draft.id, {})
        said = {grade: radius for grade, radius in draft.rings.items() if radius is not None}
        wanted = {**{grade: r for grade, r in old.items() if grade not in draft.rings}, **said}
        compared.wanted_radii[draft.id] = wanted
        other = other or wanted != old
    if row is None:
        compared.new.append(draft)
    elif other or changed_columns(draft, row):
        compared.changed.append(draft)


async def _write(connection: AsyncConnection, form: RowConverter, compared: _Comparison, now: dt.datetime) -> None:
    table, standing = form.table, compared.standing.rows
    new, changed = compared.new, compared.changed
    if not new and not changed:
        return
    rows = [{"id": draft.id, **draft.values} for draft in changed]
    versions = {row["id"]: standing[row["id"]].get("version", 0) for row in rows}
    await write.update(connection, table, rows, versions, now)
    await write.insert(connection, table, [{"id": draft.id, **draft.values} for draft in new], now)
    touched = {draft.id for draft in (*new, *changed)}
    links = {key: linked for key, linked in compared.wanted_links.items() if key in touched}
    if links:
        await linked_rows.write_links(connection, table.name, compared.links, links)
    radii = {key: wanted for key, wanted in compared.wanted_radii.items() if key in touched}
    if radii:
        await linked_rows.write_rings(connection, compared.radii, radii)
    if table.name in ("hazards", "inspections"):
        both = [{**standing.get(draft.id or 0, {}), **draft.values} for draft in (*new, *changed)]
        before = [standing[draft.id or 0] for draft in changed]
        await write.update_counters(connection, {row["enterprise_id"] for row in (*both, *before)})
