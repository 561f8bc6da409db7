"""Actions on handovers of the duty."""

import sqlalchemy as sa
from sqlmodel import col

from models import EventKind, Handover
from models.reason import Reason
from resolvers.actions.context import ActionContext, ActionResult
from resolvers.actions.errors import InvalidInput


async def sign(context: ActionContext, *, note: str) -> ActionResult:
    """Sign as the officer who leaves. Until somebody takes over, another signature replaces the note."""
    row = await _open_of(context, context.viewer.identity)
    if row is None:
        row = await context.add(
            Handover(
                leaving=context.viewer.identity,
                leaving_name=context.viewer.name,
                note=note,
                signed_at=context.now,
            )
        )
    else:
        row.note, row.signed_at = note, context.now
    context.record(EventKind.HANDOVER_SIGNED, row)
    return {"handover": row}


async def take(context: ActionContext, *, handover: int) -> ActionResult:
    """Sign as the officer who arrives, who is another person than the one who leaves."""
    row = await context.get_subject(Handover, handover)
    if row.leaving == context.viewer.identity:
        raise InvalidInput("handover", Reason("HANDOVER_OWN", "Another officer takes over what you have handed over."))
    if row.taken_at is not None:
        raise InvalidInput("handover", Reason("HANDOVER_TAKEN", "Somebody has already taken over."))
    row.arriving, row.arriving_name, row.taken_at = context.viewer.identity, context.viewer.name, context.now
    context.record(EventKind.HANDOVER_TAKEN, row)
    return {"handover": row}


async def _open_of(context: ActionContext, identity: str) -> Handover | None:
    """The handover that this viewer signed and nobody has taken over, locked."""
    own = sa.select(Handover).where(col(Handover.leaving) == identity, col(Handover.taken_at).is_(None))
    return (await context.session.execute(own.limit(1).with_for_update())).scalars().first()
