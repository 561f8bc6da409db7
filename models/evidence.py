"""Evidence: photographs and documents of hazards and of their rectification."""

import datetime as dt

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import UtcTime
from models.db.tables import Row


class Evidence(Row, table=True):
    """A photograph or a document, identified by the hash of its bytes.

    `stored_at` is the time when the store received the bytes; null if it never did, as in the demo. Before it is
    `attached` to a row, nobody can see it, and only those who uploaded it may attach it.
    """

    __table_args__ = (sa.CheckConstraint("bytes >= 0", name="bytes"),)

    media_type: str
    bytes: int
    sha256: str = Field(max_length=64, unique=True)
    taken_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    stored_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    attached: bool = Field(default=True, sa_column_kwargs={"server_default": sa.true()})


class EvidenceUpload(Row, table=True):
    """An upload of evidence: who uploaded it, as a viewer's identity, and when they last did.

    Two people may upload the same bytes. Then there is one row of evidence, and both may attach it.
    """

    __tablename__ = "evidence_upload"
    __table_args__ = (sa.UniqueConstraint("evidence_id", "uploader"),)

    evidence_id: int = Field(foreign_key="evidence.id")
    uploader: str
    at: dt.datetime = Field(sa_type=UtcTime)


class HazardEvidence(Row, table=True):
    __tablename__ = "hazard_evidence"
    __table_args__ = (sa.UniqueConstraint("hazard_id", "evidence_id"), sa.Index(None, "evidence_id"))

    hazard_id: int = Field(foreign_key="hazard.id")
    evidence_id: int = Field(foreign_key="evidence.id")


class InspectionEvidence(Row, table=True):
    __tablename__ = "inspection_evidence"
    __table_args__ = (sa.UniqueConstraint("inspection_id", "evidence_id"), sa.Index(None, "evidence_id"))

    inspection_id: int = Field(foreign_key="inspection.id")
    evidence_id: int = Field(foreign_key="evidence.id")
