"""What an identity provider's claims make of a person or program in the bureau."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models import Role
from resolvers.accounts.provider import ProvidedPerson
from resolvers.accounts.records import AccountRole


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """Which claims say what, and which value of the role claim is which role: the first that a person has counts.

    A dot in a name leads into an object: `realm_access.roles`.
    """

    roles: Mapping[str, Role]
    role: str
    inspector: str
    enterprise: str

    def role_of(self, claims: dict[str, Any]) -> Role | None:
        values = texts(claim_at(claims, self.role))
        return next((role for value, role in self.roles.items() if value in values), None)

    def person(self, issuer: str, claims: dict[str, Any]) -> ProvidedPerson | None:
        """The person with these claims, which have a `sub`; None without a role in the bureau."""
        kind = self.role_of(claims)
        if kind is None:
            return None
        badge, code = (claim_at(claims, name) for name in (self.inspector, self.enterprise))
        role = AccountRole(
            kind=kind,
            inspector=one_text(badge) if kind is Role.INSPECTOR else None,
            enterprise=one_text(code) if kind is Role.ENTERPRISE else None,
        )
        names = [claims[name] for name in ("preferred_username", "email") if isinstance(claims.get(name), str)]
        return ProvidedPerson(issuer, str(claims["sub"]), names, one_text(claims.get("name")) or "", role)


def claim_at(claims: dict[str, Any], name: str) -> Any:
    """A claim by its name, or by a path of names with dots."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def texts(value: Any) -> list[str]:
    """A claim that is one text or a list of texts."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]


def one_text(value: Any) -> str | None:
    """A claim that is one text both databases can store."""
    return value if isinstance(value, str) and value and "\0" not in value else None
