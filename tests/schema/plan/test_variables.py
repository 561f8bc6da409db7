"""Variables of an operation, as plans and costs see them."""

from graphql import parse_value

from schema.plan.variables import named_variables


def test_variables_are_found_beside_literals_of_every_kind() -> None:
    text = '{a: $one, b: ["text", $two, {c: $three}], d: "text", e: 1, f: 1.5, g: true, h: null, i: ENUM, j: """$no"""}'
    assert named_variables(parse_value(text)) == {"one", "two", "three"}
    assert named_variables(parse_value('{a: "text"}')) == set()
