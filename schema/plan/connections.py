"""Plans the selection on a connection: its rows, edges, cursors, page info and count."""

from collections.abc import Callable, Sequence
from typing import Any

from graphql import FieldNode, get_named_type

from resolvers.sql.pagination import Order, Page, SortKey
from resolvers.sql.prepared import decoder
from schema.fields.source import FieldPlanner
from schema.plan.row_codec import RowLayout
from schema.plan.row_steps import ConnectionSelection, ParentSlice

# Gives a field of one parent's connection, from the values built of its rows, their cursors, its slice and its count.
Entry = Callable[[list[Any], Any, ParentSlice, int], Any]


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
        return lambda values, cursors, group, count: connection.name
    if name == "totalCount":
        selection.counts = True
        return lambda values, cursors, group, count: count
    selection.rows = True
    inner: Any = get_named_type(connection.fields[name].type)
    if name == "nodes":
        place = len(selection.objects)
        selection.objects.append(planner.objects(inner, nodes, layout))
        return lambda values, cursors, group, count: values[place]
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

    def value(field: int | str, i: int, values: list[Any], cursors: Any) -> Any:
        if isinstance(field, int):
            return values[field][i]
        return cursors[i] if field == "cursor" else edge.name

    return lambda values, cursors, group, count: [
        {key: value(field, i, values, cursors) for key, field in fields} for i in range(group.end - group.start)
    ]


def _page_info(planner: FieldPlanner, selection: ConnectionSelection, info: Any, nodes: list[FieldNode]) -> Entry:
    selection.ends = True
    names = [(key, key_nodes[0].name.value) for key, key_nodes in planner.selections.subfields(info, nodes).items()]
    selection.cursors |= any(name in ("startCursor", "endCursor") for _, name in names)

    def page_info(values: list[Any], cursors: Any, group: ParentSlice, count: int) -> Any:
        fields = {
            "__typename": info.name,
            "hasNextPage": group.has_next,
            "hasPreviousPage": group.has_previous,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        }
        return {key: fields[name] for key, name in names}

    return page_info


def row_cursor(orders: Sequence[Order], layout: RowLayout) -> Callable[[Page, Any], str]:
    """A function that gives a row's cursor in a page.

    The columns of all `orders` are read for it, since a variable may choose among them.
    """
    places: dict[SortKey, tuple[int, Any]] = {}
    for order in orders:
        for key in order.keys:
            at = layout.at(key.column)
            places[key] = at, decoder(layout.all[at].type, layout.sqlite)

    def cursor(page: Page, row: Any) -> str:
        values = []
        for key in page.order.keys:
            at, decode = places[key]
            value = row[at]
            values.append(value if decode is None or value is None else decode(value))
        return page.order.encode(values)

    return cursor
