"""Fields of an event: its id, and the row that it is about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import models
from models import Subject
from schema.execution.context import Context, Record
from schema.fields.references import reference_step
from schema.fields.source import TYPE_OF_ROW, FieldPlanner, FieldSource, LoadField, ParentRows, SelectedField
from schema.plan.row_codec import RowLayout
from schema.plan.steps import Step
from schema.types import node_id

# By subject: the graph type of its events, and the model of its rows.
TYPES: dict[Subject, Any] = {}
MODELS: dict[Subject, Any] = {s: getattr(models, s.value) for s in Subject if s is not Subject.REGISTER}


def event_type_name(layout: RowLayout) -> Callable[[Any], str]:
    """A function that gives the name of an event row's graph type."""
    return layout.by_member(models.Event.subject, {subject: t.__name__ for subject, t in TYPES.items()})


TYPE_OF_ROW[models.Event] = event_type_name


@dataclass(eq=False)
class EventId(FieldSource):
    """The global id, with the name of the event's own type."""

    def resolve(self, field: LoadField, parent: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return event_id(parent.row.subject, parent.row.id)

    def expression(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> str | None:
        if rows.layout is None:
            return None
        subject = rows.layout.decoded(rows.code, models.Event.subject)
        key = rows.layout.decoded(rows.code, models.Event.id)
        return f"{rows.code.name(event_id)}({subject}, {key})"


def event_id(subject: Subject, key: int) -> str:
    return node_id.encode(TYPES[subject].__name__, key)


@dataclass(eq=False)
class OfSubject(FieldSource):
    """The row that the event is about."""

    def resolve(self, field: LoadField, parent: Record, context: Context, arguments: dict[str, Any]) -> Any:
        return context.one(MODELS[parent.row.subject], parent.row.subject_id)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        if rows.layout is None:
            return None
        model_of, key = rows.layout.by_member(models.Event.subject, MODELS), rows.layout.at(models.Event.subject_id)
        return reference_step(
            lambda row: None if row[key] is None else (model_of(row), row[key]),
            selected.type,
            selected.nodes,
            planner,
        )
