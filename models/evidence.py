"""Evidence: photographs and documents of hazards and of their rectification, and uploads of them."""

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


class SentFile(Row, table=True):
    """A file as a client sent it: its hash before metadata was removed, and the evidence that became of it.

    `device` is the device that sent it, if it named itself. The device, whoever is signed in there, asks by the hash
    whether the server has the file, and may attach the evidence.
    """

    __tablename__ = "sent_file"
    __table_args__ = (
        sa.Index(None, "evidence_id"),
        sa.Index(None, "uploader", "sha256"),
        sa.Index(None, "device", "sha256"),
    )

    sha256: str = Field(max_length=64)
    evidence_id: int = Field(foreign_key="evidence.id", ondelete="CASCADE")
    uploader: str
    device: str | None = Field(default=None, max_length=64)
    at: dt.datetime = Field(sa_type=UtcTime)


class OpenUpload(Row, table=True):
    """An upload in pieces. `key` is in its address, and `described` is its metadata in the form of the protocol.

    `received` is how many of its `length` bytes are in the store. It gets the last ones together with its evidence.
    """

    __tablename__ = "open_upload"
    __table_args__ = (
        sa.CheckConstraint("received BETWEEN 0 AND length AND length > 0", name="received"),
        sa.Index(None, "uploader"),
        sa.Index(None, "expires_at"),
        sa.Index(None, "evidence_id"),
    )

    key: str = Field(max_length=32, unique=True)
    uploader: str
    device: str | None = Field(default=None, max_length=64)
    length: int
    received: int = 0
    described: str
    expires_at: dt.datetime = Field(sa_type=UtcTime)
    evidence_id: int | None = Field(default=None, foreign_key="evidence.id", ondelete="CASCADE")


class UploadPiece(Row, table=True):
    """A piece of an open upload: where it begins, how many bytes it has, and its name in the store."""

    __tablename__ = "upload_piece"
    __table_args__ = (sa.UniqueConstraint("upload_id", "start"),)

    upload_id: int = Field(foreign_key="open_upload.id", ondelete="CASCADE")
    start: int
    bytes: int
    name: str = Field(max_length=39, unique=True)


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
