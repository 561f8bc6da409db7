"""Rules of validation that stand in for those of the libraries."""

from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputType,
    GraphQLNamedType,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValidationContext,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VariableNode,
    VisitorAction,
    specified_rules,
)
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule


class AlreadyReported(Exception):
    """A literal has an error, which has been told."""


class ValuesRule(ValuesOfCorrectTypeRule):
    """Tells one error of a literal, not all: each has the whole literal in its message."""

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        try:
            return super().is_valid_value_node(node, input_type)
        except AlreadyReported:
            return self.SKIP

    def report_error(self, error: GraphQLError) -> None:
        super().report_error(error)
        raise AlreadyReported


class OneOfRule(OneOfInputValidationRule):
    """Knows the variables of all operations. Strawberry's fails for those of fragments, and for what is no variable."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        operations = [d for d in context.document.definitions if isinstance(d, OperationDefinitionNode)]
        variables = [variable for operation in operations for variable in operation.variable_definitions or ()]
        # A fragment may be of several operations, and what may be null in one of them is wrong.
        variables.sort(key=lambda variable: not isinstance(variable.type, NonNullTypeNode))
        self.variable_definitions = {variable.variable.name.value: variable for variable in variables}

    def enter_operation_definition(self, *_: Any) -> None:
        pass

    def enter_variable_definition(self, *_: Any) -> None:
        pass

    def validate_one_of(self, node: ObjectValueNode, type: GraphQLNamedType) -> None:
        used = {field.value.name.value for field in node.fields if isinstance(field.value, VariableNode)}
        # What is not defined is told by another rule.
        if used <= self.variable_definitions.keys():
            super().validate_one_of(node, type)


RULES = [ValuesRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules]
RULES.append(OneOfRule)
