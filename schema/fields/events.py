"""Fields of an event: its id, and the row that it is about."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import models
from models import Subject
from schema.execution.context import Context, Record
from schema.fields.source import FieldSource, LoadField
from schema.types import node_id

if TYPE_CHECKING:
    pass

# By subject: the type that tells of it, and the model of its rows.
TYPES: dict[Subject, Any] = {}
MODELS: dict[Subject, Any] = {s: getattr(models, s.value) for s in Subject if s is not Subject.REGISTER}


@dataclass(eq=False)
class EventId(FieldSource):
    """The global id; its type is the event's own."""

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return node_id.encode(TYPES[source.row.subject].__name__, source.row.id)


@dataclass(eq=False)
class OfSubject(FieldSource):
    """The row that the event is about."""

    def resolve(self, field: LoadField, source: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return context.one(MODELS[source.row.subject], source.row.subject_id)
