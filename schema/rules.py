"""Rules of validation that stand in for those of the libraries."""

from graphql import GraphQLError, GraphQLInputType, ValueNode, ValuesOfCorrectTypeRule, VisitorAction, specified_rules
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule


class Told(Exception):
    """A literal has an error, which has been told."""


class ValuesRule(ValuesOfCorrectTypeRule):
    """Tells one error of a literal, not all: each has the whole literal in its message."""

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        try:
            return super().is_valid_value_node(node, input_type)
        except Told:
            return self.SKIP

    def report_error(self, error: GraphQLError) -> None:
        super().report_error(error)
        raise Told


RULES = [ValuesRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules]
RULES.append(OneOfInputValidationRule)
