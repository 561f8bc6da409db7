"""Evidence."""

import datetime as dt

import models
from resolvers.evidence.evidence_urls import evidence_urls
from schema.fields.batch import batch
from schema.fields.columns import column
from schema.fields.nodes import node
from schema.fields.source import FieldCost, Node


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
