"""Runs plans."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from graphql import GraphQLError

from models.db.read_pool import Fetch, MultipleStatements, ReadPool, Work
from resolvers.errors import RequestError
from resolvers.sql.readers import DriverReader, RequestInfo
from schema.fields.source import LoadField
from schema.plan.cache import Plan, PlanCache
from schema.plan.fallback import FallbackRequired
from schema.plan.mutation_step import MutationStep
from schema.plan.steps import ExecutionState

log = structlog.get_logger(__name__)

# Carries out a mutation: takes its field and arguments, and returns the field's value.
PerformMutation = Callable[[LoadField, dict[str, Any]], Awaitable[Any]]


class PlanRunner:
    """Runs plans on one database. `served` counts operations answered by plan, `left` all others by reason."""

    def __init__(self, pool: ReadPool, *, sqlite: bool) -> None:
        self._pool, self._sqlite = pool, sqlite
        self.served = 0
        self.left: Counter[str] = Counter()

    async def data(
        self,
        plans: PlanCache,
        variables: dict[str, Any],
        info: RequestInfo,
        root: Any = None,
        perform: PerformMutation | None = None,
    ) -> bytes | None:
        """The operation's `data` as JSON; None where graphql-core must execute it, also after `perform` has run.

        graphql-core executes whatever has an error, since its errors have paths.
        """
        try:
            coerced = plans.variables(variables)
            plan = plans.plan(coerced, info.viewer.visibility)
            step = plan.root
            if isinstance(step, MutationStep):
                assert perform is not None
                arguments = step.arguments(ExecutionState(coerced, DriverReader(info, unread, sqlite=self._sqlite)))
                root = await perform(step.field, arguments)

            async def work(fetch: Fetch) -> bytes:
                reader = DriverReader(info, plan.counting(fetch), sqlite=self._sqlite)
                [result] = await step.run(ExecutionState(coerced, reader), [root])
                return orjson.dumps(result)

            data = await self._read(plan, work)
        except FallbackRequired as reason:
            self.left[str(reason)] += 1
            return None
        except (RequestError, GraphQLError) as error:
            self.left[type(error).__name__] += 1
            return None
        except Exception as error:
            self.left[type(error).__name__] += 1
            log.warning("a plan failed", error=type(error).__name__)
            return None
        self.served += 1
        return data

    async def _read(self, plan: Plan, work: Work[bytes]) -> bytes:
        try:
            return await self._pool.read(work, single=bool(plan.single))
        except MultipleStatements:
            plan.single = False
            return await self._pool.read(work)


async def unread(text: str, arguments: list[Any], keys: int | None) -> list[Any]:
    """The `fetch` of a mutation's arguments: no connection is held while the action runs."""
    raise FallbackRequired("arguments that must be read")
