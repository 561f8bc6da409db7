"""Who asks, and what they may see, as plain values that every layer can take as an argument."""

import datetime as dt
import enum
from dataclasses import dataclass


class Role(enum.Enum):
    """Who uses the graph."""

    COMMANDER = "commander"
    INSPECTOR = "inspector"
    ENTERPRISE = "enterprise"
    WALL = "wall"
    INTEGRATOR = "integrator"


class Scope(enum.Enum):
    """What a program was allowed."""

    READ = "read"
    PERSONAL = "personal"
    REGISTER = "register"
    POSITIONS = "positions"
    READINGS = "readings"
    WARNINGS = "warnings"


@dataclass(frozen=True)
class Right:
    """A right to see a kind of value. It depends on role and scopes alone: a document decides it once."""

    name: str
    roles: frozenset[Role]
    scope: Scope


PERSONAL_DATA = Right("personal data", frozenset({Role.COMMANDER, Role.INSPECTOR, Role.ENTERPRISE}), Scope.PERSONAL)


@dataclass(frozen=True)
class Visibility:
    """What decides what is seen. Two viewers with equal visibility get equal answers."""

    role: Role
    scopes: frozenset[Scope] = frozenset()
    enterprise: int | None = None

    def allows(self, right: Right | None) -> bool:
        return (
            right is None or self.role in right.roles or (self.role is Role.INTEGRATOR and right.scope in self.scopes)
        )


@dataclass(frozen=True)
class Viewer:
    """Who asks: visibility, and which person it is.

    `enterprise` in the visibility and `inspector` are keys of rows; `subject` is who the token was made for; `name` is
    personal data.
    """

    visibility: Visibility
    inspector: int | None = None
    subject: str = ""
    name: str | None = None
    expires_at: dt.datetime | None = None

    @property
    def role(self) -> Role:
        return self.visibility.role

    @property
    def identity(self) -> str:
        """Equal for two tokens of the same person or program."""
        return f"{self.role.name}:{self.visibility.enterprise or ''}:{self.inspector or ''}:{self.subject}"
