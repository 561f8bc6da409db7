"""Who asks, told back to them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import models
from models import Role
from resolvers.reading import Reader


@dataclass(frozen=True, slots=True)
class Asking:
    """A viewer, with the rows that stand for them as (model, key)."""

    role: Role
    name: str | None
    inspector: tuple[Any, int] | None
    enterprise: tuple[Any, int] | None
    scopes: list[str]
    expires_at: dt.datetime | None


async def asking(reader: Reader, parents: Sequence[tuple[()]]) -> list[Asking]:
    viewer = reader.viewer
    enterprise = viewer.visibility.enterprise
    found = Asking(
        viewer.role,
        viewer.name,
        None if viewer.inspector is None else (models.Inspector, viewer.inspector),
        None if enterprise is None else (models.Enterprise, enterprise),
        sorted(scope.value for scope in viewer.visibility.scopes),
        viewer.expires_at,
    )
    return [found for _ in parents]
