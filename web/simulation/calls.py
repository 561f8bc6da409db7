"""What the simulation says to the graph, and in whose name."""

import datetime as dt
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import httpx

from models.visibility import Role, Scope
from web.auth.tokens import Claims, Tokens

TTL = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Who:
    """In whose name: a role, and a badge or a credit code."""

    role: Role
    key: str = ""


COMMANDER = Who(Role.COMMANDER)
GAUGE = Who(Role.INTEGRATOR, "gauge")


@dataclass(frozen=True)
class Call:
    """A mutation. `gives` is what is asked of its success, `means` the problem that it is meant to provoke, if any."""

    who: Who
    mutation: str
    input: dict[str, Any]
    gives: str = ""
    means: str | None = None

    @property
    def document(self) -> str:
        name = self.mutation[0].upper() + self.mutation[1:]
        return (
            f"mutation($input: {name}Input!) {{ {self.mutation}(input: $input) {{ __typename"
            f" ... on Problem {{ message }} {self.gives} }} }}"
        )


@dataclass(frozen=True)
class Pause:
    """Simulated minutes in which nothing is said."""

    minutes: float


# A flow of work: it yields what to do, and is sent the answer to a call.
Flow = Generator[Call | Pause, Any, None]


class Refusal(Exception):
    """An answer that the simulation did not mean to get."""


@dataclass
class Desk:
    """Speaks with one server. Tokens are made with its secret."""

    client: httpx.AsyncClient
    tokens: Tokens
    clock: Callable[[], dt.datetime]
    _kept: dict[Who, tuple[str, dt.datetime]] = field(default_factory=dict)

    def _token(self, who: Who) -> str:
        now = self.clock()
        kept = self._kept.get(who)
        if kept is None or kept[1] <= now:
            claims = Claims(
                who.role,
                now + TTL,
                subject=who.key or who.role.value,
                name="模拟指挥长" if who.role is Role.COMMANDER else None,
                inspector=who.key if who.role is Role.INSPECTOR else None,
                enterprise=who.key if who.role is Role.ENTERPRISE else None,
                scopes=frozenset(Scope) if who.role is Role.INTEGRATOR else frozenset(),
            )
            kept = self._kept[who] = (self.tokens.make(claims), now + TTL / 2)
        return kept[0]

    async def ask(self, document: str, variables: dict[str, Any], who: Who = COMMANDER) -> dict[str, Any]:
        """The data of an answer. Raises Refusal where there are errors."""
        headers = {"authorization": f"Bearer {self._token(who)}"}
        body = {"query": document, "variables": variables}
        answer = (await self.client.post("/graphql", json=body, headers=headers)).json()
        if answer.get("errors"):
            raise Refusal(answer["errors"][0]["message"])
        data: dict[str, Any] = answer["data"]
        return data

    async def call(self, call: Call) -> dict[str, Any]:
        """What came of a mutation. Raises Refusal where that is not what was meant."""
        found: dict[str, Any] = (await self.ask(call.document, {"input": call.input}, call.who))[call.mutation]
        kind = found["__typename"]
        if (call.means or kind) != kind or (call.means is None and "message" in found):
            raise Refusal(f"{call.mutation}: {kind} {found.get('message', '')}")
        return found
