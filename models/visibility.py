"""Viewers and what they may see, as plain values that every layer can take as arguments."""

import datetime as dt
import enum
from dataclasses import dataclass
from functools import cached_property


class Role(enum.Enum):
    """The kind of user."""

    COMMANDER = "commander"
    INSPECTOR = "inspector"
    ENTERPRISE = "enterprise"
    WALL = "wall"
    INTEGRATOR = "integrator"


class Scope(enum.Enum):
    """A permission of a program's token."""

    READ = "read"
    PERSONAL = "personal"
    REGISTER = "register"
    POSITIONS = "positions"
    READINGS = "readings"
    WARNINGS = "warnings"


@dataclass(frozen=True)
class Right:
    """A right to see values of one kind. It depends on role and scopes only, so a plan can decide it once.

    A program has it with the scope, where there is one.
    """

    name: str
    roles: frozenset[Role]
    scope: Scope | None


PERSONAL_DATA = Right("personal data", frozenset({Role.COMMANDER, Role.INSPECTOR, Role.ENTERPRISE}), Scope.PERSONAL)
# What would tell an enterprise that inspectors come, or why: everybody but an enterprise has it.
INTERNALS = Right("internals of the bureau", frozenset(Role) - {Role.ENTERPRISE}, None)
# Handovers of the duty, and their notes.
COMMAND = Right("the command centre's own notes", frozenset({Role.COMMANDER}), None)


@dataclass(frozen=True)
class Visibility:
    """All that decides what a viewer sees. Viewers with equal visibility get equal responses.

    `enterprise` is the key of the enterprise that a viewer of that role belongs to.
    """

    role: Role
    scopes: frozenset[Scope] = frozenset()
    enterprise: int | None = None

    def allows(self, right: Right | None) -> bool:
        if right is None or self.role in right.roles:
            return True
        return self.role is Role.INTEGRATOR and right.scope in self.scopes


@dataclass(frozen=True)
class Viewer:
    """The person or program that sends a request.

    `inspector` is the key of the inspector's row, `account` that of the person's account. `subject` is the identity of
    an issued token's holder, or what the claims of a demo's token say. `name` is personal data.
    """

    visibility: Visibility
    inspector: int | None = None
    subject: str = ""
    name: str | None = None
    expires_at: dt.datetime | None = None
    account: int | None = None
    issued: bool = False

    @property
    def role(self) -> Role:
        return self.visibility.role

    @cached_property
    def identity(self) -> str:
        """Equal for all tokens and logins of one person or program: `account:12`, `program:gauge` or `screen:3`."""
        if self.account is not None:
            return f"account:{self.account}"
        if self.issued:
            return self.subject
        return f"{self.role.name}:{self.visibility.enterprise or ''}:{self.inspector or ''}:{self.subject}"
