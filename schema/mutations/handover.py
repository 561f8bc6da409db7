"""Mutations of handovers."""

from resolvers.actions import handovers
from schema.fields.mutation import RowId, mutation
from schema.types.handover import Handover

MUTATIONS = (
    mutation(
        "handoverSign",
        handovers.sign,
        "Sign as the officer who leaves, with a note for the next. Until somebody takes over, a further signature"
        " replaces the note (交班).",
        {"note": "Note for the officer who arrives, at most 4,000 characters."},
        {"handover": Handover},
        success="HandoverSigned",
        subject=False,
    ),
    mutation(
        "handoverTake",
        handovers.take,
        "Sign as the officer who arrives (接班).",
        {"handover": RowId("Handover", "The handover, of another officer.")},
        {"handover": Handover},
        success="HandoverTaken",
    ),
)
