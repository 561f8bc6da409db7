"""Actions on enterprises: their registration, risk grades and control measures."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

import models
from models import ControlMeasure, Enterprise, EnterpriseRing, EventKind, MeasureKind, RiskGrade
from models.credit_code import is_valid
from models.db.tables import table_of
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import InvalidInput
from resolvers.actions.inputs import UNCHANGED, Person, Place, check_length
from resolvers.geography import Places


async def upsert(
    context: ActionContext,
    *,
    credit_code: str | None = None,
    external_id: str | None = None,
    name: str | None = UNCHANGED,
    address: str | None = UNCHANGED,
    location: Place | None = UNCHANGED,
    industry: str | None = UNCHANGED,
    hazardous_chemicals: bool | None = UNCHANGED,
    major_hazard_level: int | None = UNCHANGED,
    legal_representative: Person | None = UNCHANGED,
    safety_contact: Person | None = UNCHANGED,
) -> ActionResult:
    """Register the enterprise with this key, or change its columns that are given. None clears a column."""
    arguments: dict[str, Any] = {
        "name": name,
        "address": address,
        "location": location,
        "industry": industry,
        "hazardous_chemicals": hazardous_chemicals,
        "major_hazard_level": major_hazard_level,
        "legal_representative": legal_representative,
        "safety_contact": safety_contact,
    }
    values = {key: value for key, value in arguments.items() if value is not UNCHANGED}
    check_length("externalId", external_id)
    check_length("name", values.get("name"))
    row, new = await _find_or_register(context, credit_code, external_id, values.get("name"))
    _set_values(row, values)
    moved = (new or "location" in values) and await _place(context, row)
    await context.session.flush()
    if new or moved or context.changes.entries(row):
        context.record(EventKind.ENTERPRISE_REGISTERED if new else EventKind.ENTERPRISE_CHANGED, row)
    return {"enterprise": row}


async def _find_or_register(
    context: ActionContext, credit_code: str | None, external_id: str | None, name: str | None
) -> tuple[Enterprise, bool]:
    """The enterprise with either key, with both keys set, and whether it is new. Raises InvalidInput."""
    row = await _find_enterprise(context, credit_code, external_id)
    if row is None:
        if not name:
            raise InvalidInput("name", "A new enterprise needs a name.")
        return await context.add(Enterprise(name=name, credit_code=credit_code, external_id=external_id)), True
    await context.snapshot(row)
    row.credit_code, row.external_id = credit_code or row.credit_code, external_id or row.external_id
    return row, False


async def _find_enterprise(
    context: ActionContext, credit_code: str | None, external_id: str | None
) -> Enterprise | None:
    """The enterprise with either key, or None. Raises InvalidInput for a bad key, or keys of two enterprises."""
    if credit_code is not None and not is_valid(credit_code):
        raise InvalidInput("creditCode", "Not a valid unified social credit code (GB 32100-2015).")
    if credit_code is None and external_id is None:
        raise InvalidInput("creditCode", "Give a credit code or an external id.")
    keys = sa.or_(
        *(
            column == key
            for column, key in (
                (col(Enterprise.credit_code), credit_code),
                (col(Enterprise.external_id), external_id),
            )
            if key is not None
        )
    )
    rows = (await context.session.execute(sa.select(col(Enterprise.id)).where(keys))).scalars().all()
    if len(rows) > 1:
        raise InvalidInput("externalId", "The credit code and the external id belong to different enterprises.")
    return await context.get_subject(Enterprise, rows[0]) if rows else None


def _set_values(row: Enterprise, values: dict[str, Any]) -> None:
    if "name" in values and not values["name"]:
        raise InvalidInput("name", "A name cannot be cleared.")
    if "hazardous_chemicals" in values and values["hazardous_chemicals"] is None:
        raise InvalidInput("hazardousChemicals", "Must be true or false.")
    if values.get("major_hazard_level") not in (None, 1, 2, 3, 4):
        raise InvalidInput("majorHazardLevel", "From 1 to 4.")
    for name in values.keys() & Enterprise.model_fields.keys():
        setattr(row, name, values[name])
    people = {"legal_representative": "legal", "safety_contact": "safety"}
    for name, prefix in people.items():
        if name in values:
            person: Person | None = values[name]
            setattr(row, f"{prefix}_name", person and person.name)
            setattr(row, f"{prefix}_phone", person and person.phone)
    if "location" in values:
        place: Place | None = values["location"]
        row.latitude, row.longitude = (None, None) if place is None else (place.latitude, place.longitude)


async def _place(context: ActionContext, row: Enterprise) -> bool:
    """Find the enterprise's zone, town and rings by its location. Returns whether its rings changed."""
    places = await Places.read(await context.session.connection())
    link = table_of(EnterpriseRing)
    own_links = link.c.enterprise_id == row.id
    before = set((await context.session.execute(sa.select(link.c.ring_id).where(own_links))).scalars())
    rings: set[int] = set()
    row.zone_id = row.town_id = None
    if row.latitude is not None and row.longitude is not None:
        row.zone_id = places.zone_of(row.latitude, row.longitude)
        row.town_id = places.town_of(row.latitude, row.longitude)
        rings = set(places.rings_of(row.latitude, row.longitude))
    if rings == before:
        return False
    # Even at the same location: an interrupted import may have left the rings of another one.
    context.changes.touch(row)
    row.updated_at = context.now
    await context.session.execute(sa.delete(link).where(own_links, link.c.ring_id.in_(before - rings)))
    context.session.add_all(EnterpriseRing(ring_id=ring, enterprise_id=row.id) for ring in sorted(rings - before))
    return True


async def grade(context: ActionContext, *, enterprise: int, risk_grade: RiskGrade) -> ActionResult:
    row = await context.get_subject(Enterprise, enterprise)
    await context.snapshot(row)
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
        raise InvalidInput("controlMeasure", "The measure is already lifted.")
    row.lifted_at = context.now
    context.record(EventKind.CONTROL_MEASURE_LIFTED, row)
    return {"control_measure": row}
