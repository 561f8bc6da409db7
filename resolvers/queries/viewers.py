"""The viewer of an operation, and the rows that a token's owner has in the register."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import models
from models import Role
from models.db.database import Database
from models.db.tables import table_of
from resolvers.sql.readers import Reader


@dataclass(frozen=True, slots=True)
class CurrentViewer:
    """The viewer, with the inspector or enterprise that the token stands for as (model, key)."""

    role: Role
    name: str | None
    inspector: tuple[Any, int] | None
    enterprise: tuple[Any, int] | None
    scopes: list[str]
    expires_at: dt.datetime | None


async def current_viewer(reader: Reader, parents: Sequence[tuple[()]]) -> list[CurrentViewer]:
    viewer = reader.viewer
    enterprise = viewer.visibility.enterprise
    current = CurrentViewer(
        viewer.role,
        viewer.name,
        None if viewer.inspector is None else (models.Inspector, viewer.inspector),
        None if enterprise is None else (models.Enterprise, enterprise),
        sorted(scope.value for scope in viewer.visibility.scopes),
        viewer.expires_at,
    )
    return [current for _ in parents]


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """The owner of a token: the key of an inspector or enterprise, and an inspector's name."""

    inspector: int | None = None
    enterprise: int | None = None
    name: str | None = None


async def find_holder(database: Database, role: Role, badge: str | None, code: str | None) -> TokenHolder | None:
    """The inspector with this badge, or the enterprise with this credit code or external id; None if there is none.

    Other roles have no row in the register.
    """
    if (role is Role.INSPECTOR and not badge) or (role is Role.ENTERPRISE and not code):
        return None  # in SQL, None would match rows without a badge or code
    inspector = table_of(models.Inspector)
    enterprise = table_of(models.Enterprise)
    if role is Role.INSPECTOR:
        statement = sa.select(inspector.c.id, inspector.c.full_name).where(inspector.c.badge == badge)
    elif role is Role.ENTERPRISE:
        keys = sa.or_(enterprise.c.credit_code == code, enterprise.c.external_id == code)
        # One enterprise's external id may equal another's credit code.
        codes_first = sa.case((enterprise.c.credit_code == code, 0), else_=1)
        statement = sa.select(enterprise.c.id, enterprise.c.name).where(keys).order_by(codes_first, enterprise.c.id)
    else:
        return TokenHolder()
    async with database.read() as connection:
        row = (await connection.execute(statement)).first()
    if row is None:
        return None
    return (
        TokenHolder(inspector=row.id, name=row.full_name) if role is Role.INSPECTOR else TokenHolder(enterprise=row.id)
    )


@dataclass(frozen=True, slots=True)
class FirstCodes:
    """The first inspector's badge, and the first enterprise's credit code or external id."""

    badge: str | None
    code: str | None


async def first_codes(database: Database) -> FirstCodes:
    inspector = table_of(models.Inspector)
    enterprise = table_of(models.Enterprise)
    code = sa.func.coalesce(enterprise.c.credit_code, enterprise.c.external_id)
    async with database.read() as connection:
        badge = (await connection.execute(sa.select(inspector.c.badge).order_by(inspector.c.id).limit(1))).scalar()
        keyed = sa.select(code).where(code.is_not(None)).order_by(enterprise.c.id).limit(1)
        return FirstCodes(badge, (await connection.execute(keyed)).scalar())
