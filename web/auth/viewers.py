"""From credentials to a viewer: what a token says by itself, and what the database says of its holder."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers.accounts.logins import touch_logins
from resolvers.queries.holders import Holder, Proof
from resolvers.tokens import touch_tokens
from web.auth.tokens import Claims

USAGE_WRITTEN = dt.timedelta(minutes=1)

Holders = Mapping[Proof, Holder]


@dataclass(frozen=True, slots=True)
class Identified:
    """What credentials say by themselves: the claims of a token, and the row that has to confirm them.

    A demo's token of a role without a row in the register needs no confirmation.
    """

    proof: Proof | None
    claims: Claims | None = None

    def viewer(self, holders: Holders) -> Viewer | None:
        """The viewer; None if the database does not confirm them."""
        holder = None if self.proof is None else holders.get(self.proof)
        if holder is not None and holder.identity:
            return _of_holder(holder, self.claims)
        if self.claims is None or (self.proof is not None and holder is None):
            return None
        return _of_claims(self.claims, holder or Holder(self.claims.role))


def _of_holder(holder: Holder, claims: Claims | None) -> Viewer:
    scopes = holder.scopes if holder.role is Role.INTEGRATOR else frozenset()
    expires_at = holder.expires_at if holder.expires_at is not None or claims is None else claims.expires_at
    return Viewer(
        Visibility(holder.role, scopes, holder.enterprise),
        inspector=holder.inspector,
        subject=holder.identity,
        name=holder.name,
        expires_at=expires_at,
        account=holder.account,
        issued=True,
    )


def _of_claims(claims: Claims, holder: Holder) -> Viewer:
    scopes = claims.scopes if claims.role is Role.INTEGRATOR else frozenset()
    return Viewer(
        Visibility(claims.role, scopes, holder.enterprise),
        inspector=holder.inspector,
        subject=claims.subject,
        name=claims.name or holder.name,
        expires_at=claims.expires_at,
    )


@dataclass(eq=False, slots=True)
class KnownViewer:
    """A viewer as they were found, with what has to stay true."""

    viewer: Viewer
    identified: Identified
    until: dt.datetime

    def agrees(self, holders: Holders) -> bool:
        """Whether the database still says the same."""
        current = self.identified.viewer(holders)
        return current is not None and same(current, self.viewer)


def same(one: Viewer, other: Viewer) -> bool:
    """Whether both are one person or program with the same rights. A changed name ends nothing."""
    return (one.visibility, one.inspector, one.identity) == (other.visibility, other.inspector, other.identity)


def proofs_of(identified: Iterable[Identified | None]) -> set[Proof]:
    return {each.proof for each in identified if each is not None and each.proof is not None}


class Usage:
    """Which tokens and logins were in use since it was last written to their rows, once a minute."""

    def __init__(self, database: Database, clock: Callable[[], dt.datetime]) -> None:
        self._database, self._clock = database, clock
        self._rows: dict[str, set[int]] = {"token": set(), "login": set()}
        self._due = clock() + USAGE_WRITTEN

    def note(self, proof: Proof, holder: Holder) -> None:
        if holder.row is not None:
            self._rows[proof.kind].add(holder.row)

    async def write_when_due(self) -> None:
        if self._clock() >= self._due:
            await self.write()

    async def write(self) -> None:
        now = self._clock()
        rows, self._rows = self._rows, {"token": set(), "login": set()}
        self._due = now + USAGE_WRITTEN
        if rows["token"]:
            await touch_tokens(self._database, rows["token"], now)
        if rows["login"]:
            await touch_logins(self._database, rows["login"], now)
