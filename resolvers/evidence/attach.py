"""Attaches evidence to a hazard or inspection."""

import sqlalchemy as sa

import models
from models.db.tables import table_of
from resolvers.actions.context import ActionContext

EVIDENCE = table_of(models.Evidence)
UPLOAD = table_of(models.EvidenceUpload)


async def attach_evidence(context: ActionContext, key: int) -> None:
    """Mark evidence as attached. Raises NotFound unless the viewer uploaded it or can see it attached already."""
    uploaded = (
        sa.select(EVIDENCE.c.id)
        .join(UPLOAD, UPLOAD.c.evidence_id == EVIDENCE.c.id)
        .where(EVIDENCE.c.id == key, UPLOAD.c.uploader == context.viewer.identity)
        .with_for_update(of=EVIDENCE)
    )
    if (await context.session.execute(uploaded)).first() is None:
        await context.get(models.Evidence, key)
    unattached = sa.and_(EVIDENCE.c.id == key, EVIDENCE.c.attached.is_(sa.false()))
    await context.session.execute(sa.update(EVIDENCE).where(unattached).values(attached=True))
