"""Plans the selection on a connection: its rows, edges, cursors, page info and count."""

from collections.abc import Sequence
from typing import Any

from graphql import FieldNode, get_named_type

from schema.fields.source import FieldPlanner
from schema.plan.row_codec import RowLayout
from schema.plan.row_steps import (
    ConnectionSelection,
    Entry,
    constant_entry,
    count_entry,
    edges_entry,
    nodes_entry,
    page_info_entry,
)


def connection_selection(
    planner: FieldPlanner, graph_type: Any, nodes: Sequence[FieldNode], layout: RowLayout
) -> ConnectionSelection:
    """What an operation selects of a connection to rows with this layout."""
    connection: Any = get_named_type(graph_type)
    selection = ConnectionSelection()
    for key, key_nodes in planner.selections.subfields(connection, nodes).items():
        selection.entries.append((key, _entry(planner, selection, connection, key_nodes, layout)))
    return selection


def _entry(
    planner: FieldPlanner, selection: ConnectionSelection, connection: Any, nodes: list[FieldNode], layout: RowLayout
) -> Entry:
    name = nodes[0].name.value
    if name == "__typename":
        return constant_entry(connection.name)
    if name == "totalCount":
        selection.counts = True
        return count_entry
    selection.rows = True
    inner: Any = get_named_type(connection.fields[name].type)
    if name == "nodes":
        place = len(selection.objects)
        selection.objects.append(planner.objects(inner, nodes, layout))
        return nodes_entry(place)
    if name == "edges":
        return _edges(planner, selection, inner, nodes, layout)
    return _page_info(planner, selection, inner, nodes)


def _edges(
    planner: FieldPlanner, selection: ConnectionSelection, edge: Any, nodes: list[FieldNode], layout: RowLayout
) -> Entry:
    fields: list[tuple[str, int | str]] = []
    for key, key_nodes in planner.selections.subfields(edge, nodes).items():
        name = key_nodes[0].name.value
        if name == "node":
            fields.append((key, len(selection.objects)))
            selection.objects.append(planner.objects(edge.fields[name].type, key_nodes, layout))
        else:
            fields.append((key, name))
            selection.cursors |= name == "cursor"

    return edges_entry(edge.name, fields)


def _page_info(planner: FieldPlanner, selection: ConnectionSelection, info: Any, nodes: list[FieldNode]) -> Entry:
    selection.ends = True
    names = [(key, key_nodes[0].name.value) for key, key_nodes in planner.selections.subfields(info, nodes).items()]
    selection.cursors |= any(name in ("startCursor", "endCursor") for _, name in names)

    return page_info_entry(info.name, names)
