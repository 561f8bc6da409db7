"""Imports one batch of records: compares them with the existing rows and writes the difference."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from models import EventKind, HazardStatus
from models.db.portrait_changes import SumChanges
from models.db.portrait_rows import EnterprisePlace, ring_venues
from models.portrait_sum import SumScope
from models.reason import Reason
from resolvers.register import linked_rows, retirement, write
from resolvers.register.key_index import KeyIndex, mark_superseded
from resolvers.register.linked_rows import Links, Radii
from resolvers.register.match import ExistingRows, changed_columns, match_rows
from resolvers.register.placement import Geography, place_row
from resolvers.register.readers.record import Record
from resolvers.register.references import RowValues, resolve_references, resolve_within_batch
from resolvers.register.report import WARNING, Counts, Issue
from resolvers.register.rows import DraftRow, RowConverter
from resolvers.register.tables import Table


@dataclass(frozen=True)
class BatchContext:
    """The state that all batches of a file share.

    `file` is its number among the files of its table. `converters` are those of all these files.
    """

    file: int
    converters: Sequence[RowConverter]
    key_index: KeyIndex
    geography: Geography
    district_id: int

    @property
    def converter(self) -> RowConverter:
        return self.converters[self.file]


@dataclass
class BatchResult:
    """The counts of a batch and its rows, with their issues.

    `kinds` are the events of rows that need one, by id; `counted` is what the batch changes for portraits.
    """

    counts: Counts
    drafts: list[DraftRow]
    kinds: dict[int, EventKind]
    counted: SumChanges

    @property
    def issues(self) -> list[Issue]:
        return [issue for draft in self.drafts for issue in draft.issues]

    @property
    def written(self) -> int:
        return self.counts.new + self.counts.changed


@dataclass
class _Comparison:
    """All drafts of a batch, those that are new or changed, and their linked rows before and after."""

    drafts: list[DraftRow]
    existing: ExistingRows
    new: list[DraftRow] = field(default_factory=list)
    changed: list[DraftRow] = field(default_factory=list)
    links_before: Links = field(default_factory=dict)
    links_after: Links = field(default_factory=dict)
    radii_before: dict[int, Radii] = field(default_factory=dict)
    radii_after: dict[int, Radii] = field(default_factory=dict)
    deleted_rings: dict[int, list[int]] = field(default_factory=dict)


async def import_batch(
    connection: AsyncConnection, context: BatchContext, records: Sequence[tuple[int, Record]], now: dt.datetime
) -> BatchResult:
    """Write the new and changed rows among the records, which come with their numbers.

    Raises StaleRows if the batch must be repeated.
    """
    comparison = await _compare(connection, context, records)
    await _write(connection, context.converter, comparison, now)
    drafts = comparison.drafts
    for draft in (*comparison.new, *comparison.changed):
        draft.written = True
    for draft in comparison.new:
        draft.created = True
    bad = sum(draft.is_bad() for draft in drafts)
    new, changed = len(comparison.new), len(comparison.changed)
    warnings = sum(not draft.is_bad() and any(i.severity == WARNING for i in draft.issues) for draft in drafts)
    counts = Counts(len(drafts), new, changed, len(drafts) - bad - new - changed, bad, warnings)
    kinds = {}
    if context.converter.table.name == "enterprises":
        kinds = retirement.changes(comparison.changed, comparison.existing.rows)
        if register := context.converter.file.register_:
            good = {draft.id for draft in drafts if not draft.is_bad() and draft.id is not None}
            await retirement.add_entries(connection, register, good)
    return BatchResult(counts, drafts, kinds, await _counted(connection, context.converter.table, comparison))


async def _counted(connection: AsyncConnection, table: Table, comparison: _Comparison) -> SumChanges:
    """The changes of portraits' sums by the written rows."""
    changes, existing = SumChanges(), comparison.existing.rows
    for draft in (*comparison.new, *comparison.changed):
        row = existing.get(draft.id or 0)
        changes.add(table.model, row, {**(row or table.defaults), **draft.values, "id": draft.id})
    if table.name == "enterprises":
        venues = await ring_venues(connection)
        for draft in comparison.changed:
            row = existing[draft.id or 0]
            rings = comparison.links_before.get(row["id"], frozenset())
            if row["zone_id"] != draft.values.get("zone_id", row["zone_id"]) or rings != comparison.links_after.get(
                row["id"], rings
            ):
                changes.moved[row["id"]] = EnterprisePlace(row["zone_id"], rings, venues)
    for venue, deleted in comparison.deleted_rings.items():
        changes.recounted |= {(SumScope.VENUE, venue), *((SumScope.RING, ring) for ring in deleted)}
    return changes


async def _compare(
    connection: AsyncConnection, context: BatchContext, records: Sequence[tuple[int, Record]]
) -> _Comparison:
    converter = context.converter
    drafts = [converter.convert(record, number) for number, record in records]
    valid = [draft for draft in drafts if not draft.is_bad()]
    for draft in valid:
        mark_superseded(draft, context.key_index, context.converters, context.file)
    await resolve_references(connection, converter, valid)
    valid = [draft for draft in valid if not draft.is_bad()]
    if converter.table.name == "zones":
        for draft in valid:
            draft.values["district_id"] = context.district_id
    if converter.table.name == "enterprises":
        for draft in valid:
            draft.values.setdefault("retired_at", None)  # what is in a register is not retired
    existing = await ExistingRows.read(connection, converter, valid)
    candidates = match_rows(converter, existing, valid)
    without_id = [draft for draft in candidates if draft.id is None]
    ids = await write.reserve_ids(connection, converter.table.sql_table, len(without_id))
    for draft, row_id in zip(without_id, ids, strict=True):
        draft.id = row_id
    comparison = _Comparison(drafts, existing)
    await _read_linked_rows(connection, converter, comparison, candidates)
    _check_and_classify(context, comparison, candidates, valid)
    return comparison


def _check_and_classify(
    context: BatchContext, comparison: _Comparison, candidates: Sequence[DraftRow], valid: Sequence[DraftRow]
) -> None:
    converter, existing = context.converter, comparison.existing
    earlier: dict[str, DraftRow] = {}
    for draft in candidates:
        resolve_within_batch(converter, draft, earlier)
        row = existing.rows.get(draft.id or 0)
        if row is not None:
            draft.keep(row, converter.table, draft.overridden)
            if not draft.created_in_run:
                draft.keep(row, converter.table, converter.mapped if converter.file.only_new else converter.only_new)
        rings = place_row(converter, context.geography, draft, row)
        if not draft.is_bad():
            _check_row(converter, draft, row)
        if not draft.is_bad():
            _classify(converter, comparison, draft, row, rings)
    # A row that is not written counts after all if a later one of its key proves bad.
    chosen = set(map(id, candidates))
    for draft in valid:
        if id(draft) not in chosen and not draft.is_bad():
            _check_row(converter, draft, existing.rows.get(draft.id or 0))


async def _read_linked_rows(
    connection: AsyncConnection, converter: RowConverter, comparison: _Comparison, candidates: Sequence[DraftRow]
) -> None:
    ids = [draft.id for draft in candidates if draft.id is not None and draft.id in comparison.existing.rows]
    if converter.table.name in linked_rows.LINKS:
        comparison.links_before = await linked_rows.read_links(connection, converter.table.name, ids)
    elif converter.table.name == "venues":
        comparison.radii_before = await linked_rows.read_radii(connection, ids)


def _check_row(converter: RowConverter, draft: DraftRow, row: RowValues | None) -> None:
    """Check the row as it would be after the import, including values that the file does not have."""
    table = converter.table
    whole: dict[str, Any] = {**(table.defaults if row is None else row), **draft.values}

    def add_error(name: str, reason: str) -> None:
        draft.issues.append(Issue(draft.line, converter.label(name), "", reason))

    for required in table.required:
        if required.column is not None and whole[required.column] is None:
            add_error(required.name, Reason("CELL_REQUIRED", "has no value"))
    if table.name == "inspections" and row is not None and whole["enterprise_id"] != row["enterprise_id"]:
        # Its hazards and cases would stay with the other enterprise.
        add_error("enterprise", Reason("INSPECTION_MOVED", "an inspection cannot move to another enterprise"))
    if table.name == "hazards" and (whole["status"] is HazardStatus.CLOSED) != (whole["closed_at"] is not None):
        add_error(
            "closed_at", Reason("HAZARD_CLOSING_TIME", "a hazard has a time of closing if and only if it is CLOSED")
        )
    if table.name == "stock" and whole["quantity"] < whole["reserved"]:
        add_error(
            "quantity",
            Reason("STOCK_RESERVED", "less than the {reserved} reserved for dispatches", reserved=whole["reserved"]),
        )


def _classify(
    converter: RowConverter,
    comparison: _Comparison,
    draft: DraftRow,
    row: RowValues | None,
    rings: frozenset[int] | None,
) -> None:
    """Add a draft to the new or changed rows, if it is either. Linked rows that the file does not have stay."""
    assert draft.id is not None
    links = rings if converter.table.name == "enterprises" else draft.inspectors
    links_differ = radii_differ = False
    if links is not None:
        comparison.links_after[draft.id] = links
        links_differ = links != comparison.links_before.get(draft.id, frozenset())
    if draft.radii:
        before = comparison.radii_before.get(draft.id, {})
        mapped = {grade: radius for grade, radius in draft.radii.items() if radius is not None}
        after = {**{grade: radius for grade, radius in before.items() if grade not in draft.radii}, **mapped}
        comparison.radii_after[draft.id] = after
        radii_differ = after != before
    if row is None:
        comparison.new.append(draft)
    elif links_differ or radii_differ or changed_columns(draft, row):
        comparison.changed.append(draft)


async def _write(
    connection: AsyncConnection, converter: RowConverter, comparison: _Comparison, now: dt.datetime
) -> None:
    table, existing = converter.table, comparison.existing.rows
    new, changed = comparison.new, comparison.changed
    if not new and not changed:
        return
    rows = [{"id": draft.id, **draft.values} for draft in changed]
    versions = {row["id"]: existing[row["id"]].get("version", 0) for row in rows}
    await write.update(connection, table, rows, versions, now)
    await write.insert(connection, table, [{"id": draft.id, **draft.values} for draft in new], now)
    written = {draft.id for draft in (*new, *changed)}
    links = {row_id: after for row_id, after in comparison.links_after.items() if row_id in written}
    if links:
        await linked_rows.write_links(connection, table.name, comparison.links_before, links)
    radii = {row_id: after for row_id, after in comparison.radii_after.items() if row_id in written}
    if radii:
        comparison.deleted_rings = await linked_rows.write_rings(connection, comparison.radii_before, radii)
    if table.name == "hazards":
        await write.lapse_extensions(connection, [row["id"] for row in rows])
    if table.name in ("hazards", "inspections"):
        after_rows = [{**existing.get(draft.id or 0, {}), **draft.values} for draft in (*new, *changed)]
        before_rows = [existing[draft.id or 0] for draft in changed]
        await write.update_counters(connection, {row["enterprise_id"] for row in (*after_rows, *before_rows)})
