"""Actions on enterprises: their registration, risk grades and control measures."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

import models
from models import ControlMeasure, Enterprise, EnterpriseRing, EventKind, MeasureKind, RiskGrade
from models.credit_code import is_valid
from models.db.tables import table_of
from models.reason import Reason
from resolvers.actions.batch import RowResult, batch_action, portions
from resolvers.actions.context import ActionContext, ActionResult, require_version
from resolvers.actions.errors import ActionError, Conflict, InputError, InvalidInput
from resolvers.actions.inputs import NAME_MAXIMUM, UNCHANGED, Person, Place, out_of_range, too_long
from resolvers.places import Places


@dataclass(frozen=True)
class EnterpriseRow:
    """An enterprise as a register knows it. UNCHANGED leaves columns as they are, None clears them."""

    credit_code: str | None = None
    external_id: str | None = None
    name: str | None = UNCHANGED
    address: str | None = UNCHANGED
    location: Place | None = UNCHANGED
    industry: str | None = UNCHANGED
    hazardous_chemicals: bool | None = UNCHANGED
    major_hazard_level: int | None = UNCHANGED
    legal_representative: Person | None = UNCHANGED
    safety_contact: Person | None = UNCHANGED
    expected_version: int | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The fields that the input gives, without the keys."""
        names = [field.name for field in fields(self) if field.name not in {*KEYS, "expected_version"}]
        return {name: value for name in names if (value := getattr(self, name)) is not UNCHANGED}

    @property
    def keys(self) -> set[tuple[str, str]]:
        """The keys that are given, with their columns."""
        return {(name, key) for name in KEYS if (key := getattr(self, name)) is not None}


BAD_CREDIT_CODE = Reason("CREDIT_CODE", "Not a valid unified social credit code (GB 32100-2015).")
KEY_NEEDED = Reason("ENTERPRISE_KEY", "Give a credit code or an external id.")
NAME_CLEARED = Reason("NAME_CLEARED", "A name cannot be cleared.")
BOOLEAN_CLEARED = Reason("BOOLEAN_CLEARED", "Must be true or false.")
# By column, the field of the input.
KEYS = {"credit_code": "creditCode", "external_id": "externalId"}


@batch_action(EnterpriseRow)
async def upsert(context: ActionContext, rows: Sequence[EnterpriseRow]) -> list[RowResult]:
    """Register the enterprises with these keys, or change their columns that are given. None clears a column.

    A retired enterprise is restored: whoever registers it says that it exists.
    Of several rows about the same enterprise the first good one counts, and the others fail.
    """
    registration = await Registration.read(context, rows)
    results: list[RowResult] = []
    async for portion in portions(rows):
        written = [registration.write(row) for row in portion]
        await context.session.flush()  # gives new enterprises their keys
        for row, enterprise in zip(portion, written, strict=True):
            if isinstance(enterprise, ActionError):
                results.append(enterprise)
                continue
            moved = await registration.place(enterprise, row)
            if enterprise.id not in registration.rings:
                context.record(EventKind.ENTERPRISE_REGISTERED, enterprise)
            elif enterprise.id in registration.retired:
                context.record(EventKind.ENTERPRISE_RESTORED, enterprise)
            elif moved or context.changes.entries(enterprise):
                context.record(EventKind.ENTERPRISE_CHANGED, enterprise)
            results.append({"enterprise": enterprise})
        await registration.write_links()
    return results


class Registration:
    """The enterprises that some rows are about, locked, and what is needed to write them.

    `rings` has the keys of the rings around each enterprise that there was before, `retired` those that were retired.
    """

    def __init__(self, context: ActionContext, places: Places, enterprises: dict[int, Enterprise]) -> None:
        self._context, self._places, self._enterprises = context, places, enterprises
        self._keys = {
            (name, key): enterprise.id
            for enterprise in enterprises.values()
            for name in KEYS
            if (key := getattr(enterprise, name)) is not None
        }
        self._used: set[tuple[str, str] | int | None] = set()  # keys and enterprises of earlier rows
        self._links: list[dict[str, int]] = []
        self.rings: dict[int, set[int]] = {key: set() for key in enterprises}
        self.retired = {key for key, enterprise in enterprises.items() if enterprise.retired_at is not None}

    @classmethod
    async def read(cls, context: ActionContext, rows: Sequence[EnterpriseRow]) -> "Registration":
        columns = {"credit_code": col(Enterprise.credit_code), "external_id": col(Enterprise.external_id)}
        given = sorted({key for row in rows for key in row.keys})
        keys = sa.or_(*(column.in_([key for of, key in given if of == name]) for name, column in columns.items()))
        existing = (await context.session.execute(sa.select(col(Enterprise.id)).where(keys))).scalars().all()
        enterprises = await context.find(Enterprise, existing)
        await context.snapshot(*enterprises)
        registration = cls(context, await Places.read(context.session), enterprises)
        link = table_of(EnterpriseRing)
        around = sa.select(link.c.enterprise_id, link.c.ring_id).where(link.c.enterprise_id.in_(enterprises))
        for enterprise, ring in await context.session.execute(around) if enterprises else ():
            registration.rings[enterprise].add(ring)
        return registration

    def write(self, row: EnterpriseRow) -> Enterprise | ActionError:
        """The row's enterprise with the row's values, or why the row is not good; nothing has changed then."""
        values = row.values
        errors, enterprise = value_errors(row, values), None
        try:
            enterprise = self._enterprise_of(row)
            if enterprise is None and "name" not in values:
                raise InvalidInput("name", Reason("ENTERPRISE_NAME", "A new enterprise needs a name."))
        except InvalidInput as error:
            errors += error.errors
        except Conflict as error:
            if not errors:
                return error
        if errors:
            return InvalidInput.of(errors)
        if enterprise is None:
            enterprise = Enterprise(name=values["name"])
            self._context.session.add(enterprise)
        self._used |= row.keys | {enterprise.id}
        enterprise.credit_code = row.credit_code or enterprise.credit_code
        enterprise.external_id = row.external_id or enterprise.external_id
        enterprise.retired_at = None
        set_values(enterprise, values)
        if enterprise.id is None or "location" in values:
            set_area(enterprise, self._places)
        return enterprise

    def _enterprise_of(self, row: EnterpriseRow) -> Enterprise | None:
        """The enterprise with either key, or None. Raises InvalidInput, and Conflict for another version."""
        matching = {self._keys[key] for key in row.keys if key in self._keys}
        if len(matching) > 1:
            raise InvalidInput(
                "externalId",
                Reason("ENTERPRISE_KEYS", "The credit code and the external id belong to different enterprises."),
            )
        if not self._used.isdisjoint(row.keys | matching):
            name = next(field for name, field in KEYS.items() if getattr(row, name) is not None)
            raise InvalidInput(name, Reason("ROW_REPEATED", "An earlier row is about the same enterprise."))
        enterprise = self._enterprises[matching.pop()] if matching else None
        if enterprise is not None:
            require_version(enterprise, row.expected_version)
        return enterprise

    async def place(self, enterprise: Enterprise, row: EnterpriseRow) -> bool:
        """Write which rings the enterprise lies in, if it is new or has been given a place. Returns if they changed."""
        before = self.rings.get(enterprise.id)
        if before is not None and row.location is UNCHANGED:
            return False
        before, rings = before or set(), set[int]()
        if enterprise.latitude is not None and enterprise.longitude is not None:
            rings = set(self._places.rings_of(enterprise.latitude, enterprise.longitude))
        if rings == before:
            return False
        # Even at the same location: an interrupted import may have left the rings of another one.
        self._context.changes.touch(enterprise)
        enterprise.updated_at = self._context.now
        if before - rings:
            link = table_of(EnterpriseRing)
            gone = link.c.ring_id.in_(before - rings)
            await self._context.session.execute(sa.delete(link).where(link.c.enterprise_id == enterprise.id, gone))
        self._links += [{"ring_id": ring, "enterprise_id": enterprise.id} for ring in sorted(rings - before)]
        return True

    async def write_links(self) -> None:
        """Write the rings of the enterprises that were placed."""
        links, self._links = self._links, []
        if links:
            await self._context.session.execute(sa.insert(table_of(EnterpriseRing)), links)


def value_errors(row: EnterpriseRow, values: dict[str, Any]) -> list[InputError]:
    """All values that no enterprise can have."""
    errors: list[InputError] = []
    for field, text in (("externalId", row.external_id), ("name", values.get("name"))):
        if text is not None and len(text) > NAME_MAXIMUM:
            errors.append(InputError(field, too_long(NAME_MAXIMUM)))
    if row.credit_code is not None and not is_valid(row.credit_code):
        errors.append(InputError("creditCode", BAD_CREDIT_CODE))
    if row.credit_code is None and row.external_id is None:
        errors.append(InputError("creditCode", KEY_NEEDED))
    if "name" in values and not values["name"]:
        errors.append(InputError("name", NAME_CLEARED))
    if "hazardous_chemicals" in values and values["hazardous_chemicals"] is None:
        errors.append(InputError("hazardousChemicals", BOOLEAN_CLEARED))
    if values.get("major_hazard_level") not in (None, 1, 2, 3, 4):
        errors.append(InputError("majorHazardLevel", out_of_range(1, 4)))
    return errors


def set_values(enterprise: Enterprise, values: dict[str, Any]) -> None:
    for name in values.keys() & Enterprise.model_fields.keys():
        setattr(enterprise, name, values[name])
    people = {"legal_representative": "legal", "safety_contact": "safety"}
    for name, prefix in people.items():
        if name in values:
            person: Person | None = values[name]
            setattr(enterprise, f"{prefix}_name", person and person.name)
            setattr(enterprise, f"{prefix}_phone", person and person.phone)
    if "location" in values:
        place: Place | None = values["location"]
        latitude, longitude = (None, None) if place is None else (place.latitude, place.longitude)
        enterprise.latitude, enterprise.longitude = latitude, longitude


def set_area(enterprise: Enterprise, places: Places) -> None:
    """Set the zone and town by the location."""
    enterprise.zone_id = enterprise.town_id = None
    if enterprise.latitude is not None and enterprise.longitude is not None:
        enterprise.zone_id = places.zone_of(enterprise.latitude, enterprise.longitude)
        enterprise.town_id = places.town_of(enterprise.latitude, enterprise.longitude)


async def grade(context: ActionContext, *, enterprise: int, risk_grade: RiskGrade) -> ActionResult:
    row = await context.get_subject(Enterprise, enterprise)
    await context.snapshot(row.id)
    row.risk_grade = risk_grade
    context.record(EventKind.ENTERPRISE_GRADED, row)
    return {"enterprise": row}


async def add_measure(
    context: ActionContext,
    *,
    enterprise: int,
    kind: MeasureKind,
    description: str,
    responsible: Person | None = None,
    since: dt.date | None = None,
) -> ActionResult:
    """Add a measure, in force from `since` or else from today."""
    await context.get(models.Enterprise, enterprise)
    measure = await context.add(
        ControlMeasure(
            enterprise_id=enterprise,
            kind=kind,
            description=description,
            responsible_name=responsible.name if responsible else None,
            responsible_phone=responsible.phone if responsible else None,
            since=since or context.day,
        )
    )
    context.record(EventKind.CONTROL_MEASURE_ADDED, measure)
    return {"control_measure": measure}


async def lift_measure(context: ActionContext, *, control_measure: int) -> ActionResult:
    row = await context.get_subject(ControlMeasure, control_measure)
    if row.lifted_at is not None:
        raise InvalidInput("controlMeasure", Reason("MEASURE_LIFTED", "The measure is already lifted."))
    row.lifted_at = context.occurred_at
    context.record(EventKind.CONTROL_MEASURE_LIFTED, row)
    return {"control_measure": row}
