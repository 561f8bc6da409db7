"""How much one request may ask to be looked at. Whoever sends it, all others wait while it is read and validated.

What a document stands for can be far more than its text. In an answer all fields of one name become one, so that
graphql-core compares them two by two, and likewise the selection sets that they come from; and a fragment stands for
its fields wherever it is spread, so that twenty fragments, each with the next one twice, stand for a million paths. So
a document is written out before it is validated, place by place of the answer as if there were rows of every type, and
it is refused as soon as that has come to too much.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

CHARACTERS_MAXIMUM = 100_000
TOKENS_MAXIMUM = 10_000
LINES_MAXIMUM = 10_000  # each error counts those before its place
EXTENT_MAXIMUM = 20_000  # selections as written out, and comparisons of what is merged
SCHEMA_VALUES_MAXIMUM = 100_000  # of introspection, which anybody may ask for and which runs without a pause
VALUES_MAXIMUM = 10_000  # in variables, with those in lists and objects
ERRORS_MAXIMUM = 5  # told of one document

# How many there are, about, of what introspection tells below a field, wherever that is more than one or fewer.
LENGTHS = {
    "types": 350,
    "fields": 3,
    "args": 0.6,
    "inputFields": 2,
    "possibleTypes": 1.5,
    "ofType": 0.7,
    "directives": 8,
    "queryType": 20,
    "mutationType": 60,
    "subscriptionType": 20,
    "__type": 20,
}

Fragments = dict[str, FragmentDefinitionNode]


def text_excess(text: str) -> str | None:
    """What is too much about the text of a document, before it is parsed."""
    if len(text) > CHARACTERS_MAXIMUM:
        return f"The document has more than {CHARACTERS_MAXIMUM:,} characters."
    if text.count("\n") + text.count("\r") - text.count("\r\n") >= LINES_MAXIMUM:
        return f"The document has more than {LINES_MAXIMUM:,} lines."
    return None


def document_excess(document: DocumentNode) -> str | None:
    """What is too much about a document, before it is validated; what spreads itself always is."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    measure = Measure(fragments)
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    # Fragments come last: those that the operations reach have been written out with them.
    for operation in operations:
        if excess := measure.add(operation):
            return excess
    for definition in document.definitions:
        if not isinstance(definition, FragmentDefinitionNode) or measure.reached(definition):
            continue
        if excess := measure.add(definition):
            return excess
    return None


@dataclass
class Place:
    """A place of the answer: its fields by name, the fragments there, and from how much these were merged."""

    fields: dict[str, list[FieldNode]]
    spread: set[str]
    selections: int
    sets: int
    again: int  # spreads of fragments that were there already

    @property
    def compared(self) -> int:
        """How often two of what is merged are compared; a fragment that comes again is looked up for every set."""
        same = sum(pairs(len(nodes)) for nodes in self.fields.values())
        return same + pairs(self.sets) + self.again * self.sets


def pairs(count: int) -> int:
    return count * (count - 1) // 2


def place(merged: list[SelectionSetNode], fragments: Fragments) -> Place:
    fields: dict[str, list[FieldNode]] = defaultdict(list)
    spread: set[str] = set()
    selections, again, waiting = 0, 0, list(merged)
    while waiting:
        for node in waiting.pop().selections:
            selections += 1
            if isinstance(node, FieldNode):
                fields[(node.alias or node.name).value].append(node)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                again += name in spread
                if name in fragments and name not in spread:
                    waiting.append(fragments[name].selection_set)
                spread.add(name)
    return Place(fields, spread, selections, len(merged) + len(spread), again)


class Measure:
    """Writes definitions out. It goes no farther than what is too much, so that it ends soon for any document."""

    def __init__(self, fragments: Fragments) -> None:
        self.extent = 0
        self._fragments, self._spread = fragments, set[str]()

    def reached(self, fragment: FragmentDefinitionNode) -> bool:
        """Whether it has been written out where it was spread. Of two of one name the last one is."""
        name = fragment.name.value
        return name in self._spread and self._fragments[name] is fragment

    def add(self, definition: OperationDefinitionNode | FragmentDefinitionNode) -> str | None:
        """What is too much about it, together with all before."""
        of_schema = 0.0
        waiting = [([definition.selection_set], 0.0)]
        while waiting:
            merged, times = waiting.pop()
            found = place(merged, self._fragments)
            self._spread |= found.spread
            self.extent += found.selections + found.compared
            of_schema += times * len(found.fields)
            if self.extent > EXTENT_MAXIMUM:
                return (
                    "The document asks for too much at once: written out with its fragments it has more than "
                    f"{EXTENT_MAXIMUM:,} selections and comparisons of selections."
                )
            if of_schema > SCHEMA_VALUES_MAXIMUM:
                return f"The document asks for more than {SCHEMA_VALUES_MAXIMUM:,} values of the schema itself."
            for nodes in found.fields.values():
                inner = [node.selection_set for node in nodes if node.selection_set]
                if inner:
                    waiting.append((inner, introspection_factor(times, nodes[0].name.value)))
        return None


def introspection_factor(above: float, name: str) -> float:
    """How often what is below a field is told of the schema, by how often the field is; 0 for what is not of it."""
    inside = above or (1 if name in ("__schema", "__type") else 0)
    return inside * LENGTHS.get(name, 1)


def variables_excess(variables: Mapping[str, Any]) -> str | None:
    """What is too much about variables, before they are looked at."""
    count, waiting = len(variables), list(variables.values())
    while waiting and count <= VALUES_MAXIMUM:
        value = waiting.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        count += len(inner)
        waiting.extend(inner)
    return f"The variables have more than {VALUES_MAXIMUM:,} values." if count > VALUES_MAXIMUM else None
