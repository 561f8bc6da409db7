"""Evidence."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import strawberry

import models
from resolvers.evidence import evidence_status
from resolvers.evidence.evidence_urls import evidence_urls
from resolvers.sql.readers import Reader
from schema.fields.batch import batch
from schema.fields.columns import column
from schema.fields.nodes import node
from schema.fields.source import FieldCost, Node
from schema.types import node_id


@node(models.Evidence)
class Evidence(Node):
    """A photograph or a paper (证据). It is personal data as a whole."""

    media_type: str = column(models.Evidence.media_type, "Its media type, such as image/jpeg.")
    bytes: int = column(models.Evidence.bytes, "Its size in bytes.")
    sha256: str = column(models.Evidence.sha256, "SHA-256 of its bytes, 64 hexadecimal digits.", size=66)
    url: str | None = batch(
        evidence_urls,
        models.Evidence.sha256,
        models.Evidence.stored_at,
        description="Address where it can be read for a short time; null if it is not in the store.",
        cost=FieldCost(size=250),
    )
    taken_at: dt.datetime | None = column(models.Evidence.taken_at, "When it was taken; null if not known.")


@strawberry.type(description="Whether the server has a file that you, or your device, sent.")
class EvidenceStatus:
    sha256: str = strawberry.field(description="SHA-256 of the file as you have it.")
    evidence: strawberry.ID | None = strawberry.field(
        description="Id of the evidence for mutations; null if the server does not have the file."
    )
    kept_until: dt.datetime | None = strawberry.field(
        description="Until when it waits to be used; null if it is used already, and stays."
    )


@dataclass(frozen=True, slots=True)
class Status:
    """One status as the graph shows it."""

    sha256: str
    evidence: str | None
    kept_until: dt.datetime | None


async def status_of(reader: Reader, parents: Sequence[tuple[()]], *, sha256: list[str]) -> list[list[Status]]:
    """Like `evidence_status.status`, with global ids."""
    [statuses] = await evidence_status.status(reader, [()], sha256=sha256)
    shown = [Status(each.sha256, _id(each.evidence), each.kept_until) for each in statuses]
    return [shown for _ in parents]


def _id(key: int | None) -> str | None:
    return None if key is None else node_id.encode("Evidence", key)


STATUS_COST = FieldCost(sizes=("sha256",), read=20, read_for_each=("sha256",))
