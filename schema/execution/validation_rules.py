"""Validation rules that replace those of graphql-core and Strawberry."""

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
    """A literal has an error, which was reported."""


class ValuesRule(ValuesOfCorrectTypeRule):
    """Reports only the first error of a literal: each message contains the whole literal."""

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        try:
            return super().is_valid_value_node(node, input_type)
        except AlreadyReported:
            return self.SKIP

    def report_error(self, error: GraphQLError) -> None:
        super().report_error(error)
        raise AlreadyReported


class OneOfRule(OneOfInputValidationRule):
    """Uses the variables of all operations. Strawberry's rule fails for undefined variables, and in fragments."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        operations = [d for d in context.document.definitions if isinstance(d, OperationDefinitionNode)]
        variables = [variable for operation in operations for variable in operation.variable_definitions or ()]
        # Several operations may use a fragment. A variable that is nullable in one of them is an error: it comes last,
        # so that it replaces the others.
        variables.sort(key=lambda variable: not isinstance(variable.type, NonNullTypeNode))
        self.variable_definitions = {variable.variable.name.value: variable for variable in variables}

    def enter_operation_definition(self, *_: Any) -> None:
        pass

    def enter_variable_definition(self, *_: Any) -> None:
        pass

    def validate_one_of(self, node: ObjectValueNode, type: GraphQLNamedType) -> None:
        used = {field.value.name.value for field in node.fields if isinstance(field.value, VariableNode)}
        # Another rule reports undefined variables.
        if used <= self.variable_definitions.keys():
            super().validate_one_of(node, type)


RULES = [ValuesRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules]
RULES.append(OneOfRule)
