"""Limits on what one request may make the server parse and validate. All other requests wait meanwhile.

A document can expand to far more than its text. In a response, fields with the same response key are merged:
graphql-core compares them in pairs, and likewise the selection sets that they come from. A fragment stands for its
fields wherever it is spread: twenty fragments, each of which spreads the next one twice, stand for a million paths.
Therefore a document is expanded before it is validated, position by position of the response, as if there were rows of
every type. It is refused as soon as the expansion exceeds the limit.
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
    OperationDefinitionNode,
    SelectionSetNode,
)

from models.reason import Reason
from schema.plan.selections import Fragments, fragments_of, walk

CHARACTERS_MAXIMUM = 50_000
TOKENS_MAXIMUM = 2_000
LINES_MAXIMUM = 5_000  # each error counts the lines before its location
ESCAPES_MAXIMUM = 1_000  # backslashes: characters are fast to read, escaped ones are not
DEPTH_MAXIMUM = 100  # of the expanded document, in fields; planning and execution nest function calls
EXTENT_MAXIMUM = 9_000  # selections of the expanded document, and comparisons of merged selections
VARIABLE_USES_MAXIMUM = 5_000  # in fragments, by all operations: each is checked for each operation
SCHEMA_VALUES_MAXIMUM = 100_000  # of introspection, which needs no token and runs without yielding to other requests
VALUES_MAXIMUM = 20_000  # in variables, including those in lists and objects
ERRORS_MAXIMUM = 5  # reported for one document
# The limits, as a client reads them on demand.
OF_ONE_REQUEST = {
    "characters": CHARACTERS_MAXIMUM,
    "tokens": TOKENS_MAXIMUM,
    "depth": DEPTH_MAXIMUM,
    "extent": EXTENT_MAXIMUM,
    "variableValues": VALUES_MAXIMUM,
}

# By introspection field: about how many objects it has for each parent, where that is not one.
LENGTHS = {
    "types": 460,
    "fields": 3,
    "args": 0.6,
    "inputFields": 2.5,
    "possibleTypes": 5,
    "ofType": 0.7,
    "directives": 8,
    "queryType": 30,
    "mutationType": 60,
    "subscriptionType": 20,
    "__type": 20,
}

TOO_DEEP = Reason("DOCUMENT_NESTING", "The document is nested too deeply.")
TOO_EXTENSIVE = Reason(
    "DOCUMENT_EXTENT",
    "The document selects too much at once: expanded with its fragments it has more than {maximum:,} selections and"
    " comparisons of selections.",
    maximum=EXTENT_MAXIMUM,
)
TOO_MANY_LEVELS = Reason(
    "DOCUMENT_DEPTH", "The document selects fields more than {maximum:,} deep.", maximum=DEPTH_MAXIMUM
)
TOO_MANY_SCHEMA_VALUES = Reason(
    "DOCUMENT_SCHEMA_VALUES",
    "The document selects more than {maximum:,} values of the schema itself.",
    maximum=SCHEMA_VALUES_MAXIMUM,
)


def text_excess(text: str) -> Reason | None:
    """Which limit the text of a document exceeds, before it is parsed."""
    if len(text) > CHARACTERS_MAXIMUM:
        return Reason(
            "DOCUMENT_CHARACTERS", "The document has more than {maximum:,} characters.", maximum=CHARACTERS_MAXIMUM
        )
    if text.count("\n") + text.count("\r") - text.count("\r\n") >= LINES_MAXIMUM:
        return Reason("DOCUMENT_LINES", "The document has more than {maximum:,} lines.", maximum=LINES_MAXIMUM)
    if text.count("\\") > ESCAPES_MAXIMUM:
        return Reason(
            "DOCUMENT_BACKSLASHES",
            "The document has more than {maximum:,} backslashes. Send texts as variables.",
            maximum=ESCAPES_MAXIMUM,
        )
    return None


def document_excess(document: DocumentNode) -> Reason | None:
    """Which limit a document exceeds, before it is validated. A cycle of fragments always exceeds one."""
    fragments = fragments_of(document)
    expansion = Expansion(fragments)
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    fragment_variables = sum(map(variable_uses, fragments.values()))
    if len(operations) * fragment_variables > VARIABLE_USES_MAXIMUM:
        return Reason(
            "DOCUMENT_VARIABLE_USES",
            "The operations of the document use the variables of its fragments more than {maximum:,}"
            " times in all. Send fewer operations in one document.",
            maximum=VARIABLE_USES_MAXIMUM,
        )
    # Fragments come last: those that the operations reach have been expanded with them.
    for operation in operations:
        if excess := expansion.add(operation):
            return excess
    for definition in document.definitions:
        if not isinstance(definition, FragmentDefinitionNode) or expansion.reached(definition):
            continue
        if excess := expansion.add(definition):
            return excess
    return None


def variable_uses(fragment: FragmentDefinitionNode) -> int:
    """At least how many variables a fragment uses."""
    where = fragment.loc
    return where.source.body.count("$", where.start, where.end) if where else 0


@dataclass
class Position:
    """A position of the response: its merged fields by response key, and the fragments spread there.

    `selections` and `sets` are the numbers of selections and selection sets that were merged.
    """

    fields: dict[str, list[FieldNode]]
    spread: set[str]
    selections: int
    sets: int
    repeated: int  # spreads of a fragment that is spread here already

    @property
    def comparisons(self) -> int:
        """Comparisons of merged fields and of selection sets. A repeated fragment is looked up for every set."""
        fields = sum(pairs(len(nodes)) for nodes in self.fields.values())
        return fields + pairs(self.sets) + self.repeated * self.sets


def pairs(count: int) -> int:
    return count * (count - 1) // 2


def position(merged: list[SelectionSetNode], fragments: Fragments) -> Position:
    fields: dict[str, list[FieldNode]] = defaultdict(list)
    spread: set[str] = set()
    selections = repeated = 0
    for node, _ in walk(merged, fragments):
        selections += 1
        if isinstance(node, FieldNode):
            fields[(node.alias or node.name).value].append(node)
        elif isinstance(node, FragmentSpreadNode):
            repeated += node.name.value in spread
            spread.add(node.name.value)
    return Position(fields, spread, selections, len(merged) + len(spread), repeated)


class Expansion:
    """Expands definitions and adds up their extent. It stops at the limit, so that it ends soon for any document."""

    def __init__(self, fragments: Fragments) -> None:
        self.extent = 0
        self._fragments, self._spread = fragments, set[str]()

    def reached(self, fragment: FragmentDefinitionNode) -> bool:
        """Whether the fragment was expanded where it is spread. Of two with the same name, the last one is."""
        name = fragment.name.value
        return name in self._spread and self._fragments[name] is fragment

    def add(self, definition: OperationDefinitionNode | FragmentDefinitionNode) -> Reason | None:
        """Which limit the definition exceeds, together with those added before."""
        schema_values = 0.0
        waiting = [([definition.selection_set], 0.0, 1)]
        while waiting:
            merged, times, depth = waiting.pop()
            expanded = position(merged, self._fragments)
            self._spread |= expanded.spread
            self.extent += expanded.selections + expanded.comparisons
            schema_values += times * len(expanded.fields)
            if self.extent > EXTENT_MAXIMUM:
                return TOO_EXTENSIVE
            if depth > DEPTH_MAXIMUM:
                return Reason(
                    "DOCUMENT_DEPTH", "The document selects fields more than {maximum:,} deep.", maximum=DEPTH_MAXIMUM
                )
            if schema_values > SCHEMA_VALUES_MAXIMUM:
                return TOO_MANY_SCHEMA_VALUES
            for nodes in expanded.fields.values():
                inner = [node.selection_set for node in nodes if node.selection_set]
                if inner:
                    waiting.append((inner, introspection_factor(times, nodes[0].name.value), depth + 1))
        return None


def introspection_factor(above: float, name: str) -> float:
    """How many objects an introspection field has, where its parent has `above`; 0 outside of introspection."""
    inside = above or (1 if name in ("__schema", "__type") else 0)
    return inside * LENGTHS.get(name, 1)


def variables_excess(variables: Mapping[str, Any]) -> Reason | None:
    """Which limit variables exceed, before they are coerced."""
    count, waiting = len(variables), list(variables.values())
    while waiting and count <= VALUES_MAXIMUM:
        value = waiting.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        count += len(inner)
        waiting.extend(inner)
    if count <= VALUES_MAXIMUM:
        return None
    return Reason("VARIABLES_VALUES", "The variables have more than {maximum:,} values.", maximum=VALUES_MAXIMUM)
