"""Plans, kept by document and visibility, and run."""

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from graphql import DirectiveNode, DocumentNode, GraphQLError, OperationDefinitionNode, VariableNode, Visitor, visit
from graphql.execution.values import get_variable_values

from models.held import Fetch, Held
from models.visibility import Role, Scope, Visibility
from resolvers.raw import Moment, RawReader
from resolvers.refusals import Refused
from schema.plans.compiler import Compiler, Selection
from schema.plans.leaves import Leave
from schema.plans.parts import Objects, State
from schema.root import Graph

log = structlog.get_logger(__name__)

PLANS_KEPT = 2_000

# What of a visibility decides a plan: which enterprise it is, is a parameter.
Seen = tuple[Role, frozenset[Scope]]


@dataclass(frozen=True, slots=True)
class Known:
    """An operation of a valid document: `text` and `name` tell it from others."""

    text: str
    name: str | None
    document: DocumentNode
    operation: OperationDefinitionNode


class Plans:
    """The plans of one graph, the latest used kept. `served` and `left` count what was answered and what was not."""

    def __init__(self, graph: Graph, held: Held, *, sqlite: bool) -> None:
        self._graph, self._held, self._sqlite = graph, held, sqlite
        # None for what cannot be compiled.
        self._kept: OrderedDict[Any, Objects | None] = OrderedDict()
        self._conditions: OrderedDict[Any, frozenset[str]] = OrderedDict()
        self.served = 0
        self.left: Counter[str] = Counter()

    async def data(self, known: Known, variables: dict[str, Any], moment: Moment, root: Any = None) -> bytes:
        """The operation's `data` as JSON. Raises Leave where graphql-core must answer."""
        try:
            given = self._variables(known, variables)
            plan = self._plan(known, given, moment.viewer.visibility)

            async def run(fetch: Fetch) -> bytes:
                reader = RawReader(moment, fetch, sqlite=self._sqlite)
                [made] = await plan.run(State(given, reader), [root])
                return orjson.dumps(made)

            found = await self._held.read(run, single=plan.statements <= 1)
        except (Leave, Refused, GraphQLError) as reason:
            # Whatever has an error: graphql-core tells of it with its path.
            self.left[str(reason) if isinstance(reason, Leave) else type(reason).__name__] += 1
            raise Leave from None
        except Exception as error:
            self.left[type(error).__name__] += 1
            log.warning("a plan failed", error=type(error).__name__)
            raise Leave from None
        self.served += 1
        return found

    def _variables(self, known: Known, variables: dict[str, Any]) -> Any:
        definitions = known.operation.variable_definitions
        if not definitions:
            return None
        found = get_variable_values(self._graph._schema, definitions, variables)
        if isinstance(found, list):
            raise Leave("variables that do not fit")
        return found

    def _plan(self, known: Known, variables: Any, visibility: Visibility) -> Objects:
        operation = (known.text, known.name)
        names = self._conditions.get(operation)
        if names is None:
            names = remembered(self._conditions, operation, conditions(known.document))
        holds = {name: variables.coerced[name] for name in names if name in variables.coerced} if names else {}
        key = (operation, visibility.role, visibility.scopes, tuple(holds.items()))
        if key in self._kept:
            self._kept.move_to_end(key)
            plan = self._kept[key]
        else:
            try:
                plan = self._compiled(known, holds, visibility)
            except Leave as reason:
                log.debug("not compiled", reason=str(reason))
                plan = None
            remembered(self._kept, key, plan)
        if plan is None:
            raise Leave("not compiled")
        return plan

    def _compiled(self, known: Known, holds: dict[str, bool], visibility: Visibility) -> Objects:
        compiler = Compiler(self._graph, known.document, holds, visibility, sqlite=self._sqlite)
        root = self._graph._schema.get_root_type(known.operation.operation)
        assert root is not None
        return Selection(compiler, root, compiler.collect(root, [known.operation.selection_set]), None).made()


def remembered(kept: OrderedDict[Any, Any], key: Any, value: Any) -> Any:
    kept[key] = value
    if len(kept) > PLANS_KEPT:
        kept.popitem(last=False)
    return value


def conditions(document: DocumentNode) -> frozenset[str]:
    """The variables on which @skip and @include depend."""
    found: set[str] = set()

    class Conditions(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    found.add(argument.value.name.value)

    visit(document, Conditions())
    return frozenset(found)
