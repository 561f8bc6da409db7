"""Calls of the simulation to the graph, and the identities behind them."""

import datetime as dt
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import httpx

from models.visibility import Role, Scope
from web.auth.tokens import Claims, Tokens

TTL = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Identity:
    """Who calls: a role, and a badge or a credit code."""

    role: Role
    key: str = ""


COMMANDER = Identity(Role.COMMANDER)
GAUGE = Identity(Role.INTEGRATOR, "gauge")


@dataclass(frozen=True)
class Call:
    """A mutation, with what to select on its success. `expected` names the failure that it should provoke, if any."""

    identity: Identity
    mutation: str
    input: dict[str, Any]
    selection: str = ""
    expected: str | None = None

    @property
    def document(self) -> str:
        name = self.mutation[0].upper() + self.mutation[1:]
        return (
            f"mutation($input: {name}Input!) {{ {self.mutation}(input: $input) {{ __typename"
            f" ... on Problem {{ message }} {self.selection} }} }}"
        )


@dataclass(frozen=True)
class Pause:
    """Simulated minutes without a call."""

    minutes: float


# A flow of work. It yields calls and pauses, and is sent the result of each call.
Flow = Generator[Call | Pause, Any, None]


class Refusal(Exception):
    """An unexpected failure of a call."""


@dataclass
class Desk:
    """Calls one server, with tokens that it signs with the server's secret."""

    client: httpx.AsyncClient
    tokens: Tokens
    clock: Callable[[], dt.datetime]
    _cache: dict[Identity, tuple[str, dt.datetime]] = field(default_factory=dict)

    def _token(self, identity: Identity) -> str:
        now = self.clock()
        cached = self._cache.get(identity)
        if cached is None or cached[1] <= now:
            claims = Claims(
                identity.role,
                now + TTL,
                subject=identity.key or identity.role.value,
                name="模拟指挥长" if identity.role is Role.COMMANDER else None,
                inspector=identity.key if identity.role is Role.INSPECTOR else None,
                enterprise=identity.key if identity.role is Role.ENTERPRISE else None,
                scopes=frozenset(Scope) if identity.role is Role.INTEGRATOR else frozenset(),
            )
            cached = self._cache[identity] = (self.tokens.make(claims), now + TTL / 2)
        return cached[0]

    async def ask(self, document: str, variables: dict[str, Any], identity: Identity = COMMANDER) -> dict[str, Any]:
        """The data of the response. Raises Refusal when it has errors."""
        headers = {"authorization": f"Bearer {self._token(identity)}"}
        body = {"query": document, "variables": variables}
        response = (await self.client.post("/graphql", json=body, headers=headers)).json()
        if response.get("errors"):
            raise Refusal(response["errors"][0]["message"])
        data: dict[str, Any] = response["data"]
        return data

    async def call(self, call: Call) -> dict[str, Any]:
        """The result of a mutation. Raises Refusal when it is not the expected one."""
        data = await self.ask(call.document, {"input": call.input}, call.identity)
        result: dict[str, Any] = data[call.mutation]
        kind = result["__typename"]
        if (call.expected or kind) != kind or (call.expected is None and "message" in result):
            raise Refusal(f"{call.mutation}: {kind} {result.get('message', '')}")
        return result
