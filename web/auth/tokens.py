"""Bearer tokens of this server: JSON Web Tokens, signed with a key that is derived from its secret (HS256)."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OctKey

from models.reason import Reason
from models.token import Token
from models.visibility import Role, Scope
from resolvers.errors import NOT_A_TOKEN, ErrorCode, RequestError
from resolvers.queries.holders import identity_of
from resolvers.tokens import TTL_MAXIMUM
from web.auth.keys import Purpose, Secrets

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "huhang"


@dataclass(frozen=True)
class Claims:
    """The claims of a token about its holder. `inspector` is a badge, `enterprise` a credit code or external id.

    A token with an `id` was issued: its row says whether it still counts and who holds it. One without is for demo mode
    only, and nothing but its claims says who holds it.
    """

    role: Role
    expires_at: dt.datetime
    subject: str = ""
    name: str | None = None
    inspector: str | None = None
    enterprise: str | None = None
    scopes: frozenset[Scope] = frozenset()
    id: str | None = None
    issued_at: dt.datetime | None = None


class Tokens:
    """Makes and reads tokens. Those that were signed with an `old` secret are read as well."""

    def __init__(self, secret: str, *old: str) -> None:
        keys = Secrets(secret, old).keys(Purpose.TOKENS)
        self._keys = {hashlib.sha256(key).hexdigest()[:16]: OctKey.import_key(key) for key in keys}
        self.key_id = next(iter(self._keys))

    def make(self, claims: Claims) -> str:
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.subject,
            "jti": claims.id,
            "role": claims.role.name,
            "name": claims.name,
            "inspector": claims.inspector,
            "enterprise": claims.enterprise,
            "scopes": sorted(scope.value for scope in claims.scopes),
            "iat": None if claims.issued_at is None else int(claims.issued_at.timestamp()),
            "exp": int(claims.expires_at.timestamp()),
        }
        header = {"alg": ALGORITHM, "kid": self.key_id}
        return jwt.encode(header, {k: v for k, v in payload.items() if v}, self._keys[self.key_id])

    def sign(self, row: Token, role: Role) -> str:
        """The token of a row that was issued to a holder with this role. It is the same each time."""
        identity = identity_of(row.kind, row.name, row.id, row.account_id)
        return self.make(Claims(role, row.expires_at, identity, id=row.jti, issued_at=row.issued_at))

    def read(self, token: str, now: dt.datetime) -> Claims:
        """Raises RequestError for a token that is not of this server, not valid yet, or expired."""
        try:
            payload = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            if (payload["iss"], payload["aud"]) != (ISSUER, AUDIENCE):
                raise ValueError
            claims, not_before = _claims(payload), _time(payload.get("nbf", 0))
        except (JoseError, ValueError, TypeError, KeyError, OverflowError, OSError):
            raise RequestError(ErrorCode.UNAUTHENTICATED, NOT_A_TOKEN) from None
        if claims.expires_at <= now:
            raise RequestError(ErrorCode.UNAUTHENTICATED, Reason("TOKEN_EXPIRED", "The token has expired."))
        if now < not_before:
            raise RequestError(ErrorCode.UNAUTHENTICATED, Reason("TOKEN_NOT_YET_VALID", "The token is not valid yet."))
        return claims

    def signed(self, token: str) -> bool:
        """Whether a token names one of this server's keys. That does not make it valid."""
        try:
            return jws.extract_compact(token.encode()).headers().get("kid") in self._keys
        except (JoseError, ValueError, TypeError):
            return False

    def _key(self, token: GuestProtocol) -> OctKey:
        """The key that a token names. Raises KeyError or TypeError."""
        return self._keys[token.headers()["kid"]]


def _claims(payload: dict[str, Any]) -> Claims:
    """Raises ValueError, TypeError or KeyError for claims that `Tokens.make` never wrote."""
    texts = {name: payload.get(name) for name in ("name", "inspector", "enterprise")}
    texts["id"] = payload.get("jti")
    subject, scopes = payload.get("sub", ""), payload.get("scopes", [])
    if not all(value is None or isinstance(value, str) for value in texts.values()):
        raise TypeError
    if not isinstance(subject, str) or not isinstance(scopes, list):
        raise TypeError
    return Claims(
        role=Role[payload["role"]],
        expires_at=_time(payload["exp"]),
        subject=subject,
        scopes=frozenset(Scope(scope) for scope in scopes),
        issued_at=_time(payload["iat"]) if "iat" in payload else None,
        **texts,
    )


def _time(seconds: Any) -> dt.datetime:
    """Raises TypeError, or another error of Python for a number that is no time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def duration(text: str) -> dt.timedelta:
    """The duration that a text such as `30m`, `8h` or `7d` names. Raises ValueError."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not (number.isascii() and number.isdigit()) or not 0 < int(number) <= 1_000_000:
        raise ValueError(f"{text}: a time is a number with m, h or d, such as 8h")
    length = dt.timedelta(**{units[unit]: int(number)})
    if length > TTL_MAXIMUM:
        raise ValueError(f"{text}: a token is valid for at most {TTL_MAXIMUM.days} days")
    return length
