"""Attaches evidence to a hazard or inspection."""

import sqlalchemy as sa
from sqlalchemy import ColumnElement

import models
from models.db.tables import table_of
from resolvers.actions.context import ActionContext

EVIDENCE = table_of(models.Evidence)
UPLOAD = table_of(models.EvidenceUpload)
SENT = table_of(models.SentFile)


async def attach_evidence(context: ActionContext, key: int) -> None:
    """Mark evidence as attached.

    Raises NotFound unless the viewer or the viewer's device uploaded it, or the viewer can see it attached already.
    """
    viewer = context.viewer.identity
    own: ColumnElement[bool] = sa.exists().where(UPLOAD.c.evidence_id == EVIDENCE.c.id, UPLOAD.c.uploader == viewer)
    if (device := context.request.device) is not None:
        own = sa.or_(own, sa.exists().where(SENT.c.evidence_id == EVIDENCE.c.id, SENT.c.device == device))
    uploaded = sa.select(EVIDENCE.c.id).where(EVIDENCE.c.id == key, own).with_for_update(of=EVIDENCE)
    if (await context.session.execute(uploaded)).first() is None:
        await context.get(models.Evidence, key)
    unattached = sa.and_(EVIDENCE.c.id == key, EVIDENCE.c.attached.is_(sa.false()))
    await context.session.execute(sa.update(EVIDENCE).where(unattached).values(attached=True))
