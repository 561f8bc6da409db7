"""The settings, from environment variables with the prefix HUHANG_. The README lists them in a table."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models import InspectionKind
from models.byte_cache import CACHE_BYTES, CACHE_BYTES_MINIMUM
from models.db.database import driver_url
from models.notice import ANNOUNCEABLE
from models.reason import Language
from models.visibility import Role
from schema.execution.cost_limit import COST_LIMIT
from web import base_map as base_maps
from web.auth.addresses import is_safe_url
from web.auth.claim_mapping import ClaimMapping
from web.auth.demo_secret import demo_secret
from web.auth.keys import SECRET_MINIMUM, Secrets
from web.graphql.manifests import read_manifest
from web.origins import host_names, origins
from web.proxies import networks

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"


class Settings(BaseSettings):
    """Every setting has a default that suits a first trial on one machine."""

    model_config = SettingsConfigDict(env_prefix="HUHANG_", extra="ignore")

    database_url: str = Field(
        default=f"sqlite:///{VAR / 'huhang.db'}",
        description="Database: `sqlite:///…` or `postgresql://…`, with libpq's `sslmode` and `sslrootcert` for TLS.",
    )
    bus_url: str = Field(
        default="memory://",
        description="Bus for commit notifications: `memory://` for one process, `redis://…` for several.",
    )
    retention_days: int | None = Field(
        default=None, ge=1, description="Days that a stream may resume back; without it, to the beginning of the log."
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Secret that signs tokens, at least 32 characters. Demo mode makes one of its own.",
    )
    old_secrets: SecretStr | None = Field(
        default=None,
        description="Secrets whose tokens are accepted as well: one, or several as a JSON array.",
    )
    public_url: str | None = Field(
        default=None, description="Address of the server as browsers see it; without it, the one of each request."
    )
    language: Language | None = Field(
        default=None, description="Language of what imports and exports say: `en` or `zh`; without it, the locale's."
    )
    insecure_cookies: bool = Field(
        default=False,
        description="Whether people sign in over HTTP without encryption, for a closed network; a demo allows it.",
    )
    totp: Literal["nobody", "commanders", "everybody"] = Field(
        default="nobody",
        description="Who has to set up TOTP besides a password before anything else: `nobody`, `commanders` or"
        " `everybody`.",
    )
    oidc_issuer: str | None = Field(
        default=None, description="Issuer of the bureau's identity provider (OpenID Connect); without it there is none."
    )
    oidc_client_id: str | None = Field(
        default=None, validate_default=True, description="Huhang's client id at the identity provider."
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Huhang's secret at the identity provider; a public client has none."
    )
    jwks_url: str | None = Field(
        default=None, description="Address of an identity provider's keys, to accept its tokens as bearer tokens."
    )
    jwks_issuer: str | None = Field(
        default=None, validate_default=True, description="Issuer that these tokens must name."
    )
    jwks_audience: str | None = Field(
        default=None, validate_default=True, description="Audience that these tokens must name: this server's own."
    )
    oidc_label: str = Field(default="OpenID Connect", description="Name of the identity provider on the sign-in page.")
    oidc_scope: str = Field(default="openid profile", description="Scopes that Huhang asks the identity provider for.")
    oidc_roles: str = Field(
        default="{}",
        validate_default=True,
        description='Which value of the role claim is which role, as JSON: `{"duty": "COMMANDER"}`; the first counts.',
    )
    oidc_role_claim: str = Field(
        default="roles", description="Claim with a person's roles; a dot leads into an object: `realm_access.roles`."
    )
    oidc_inspector_claim: str = Field(default="badge", description="Claim with an inspector's badge.")
    oidc_enterprise_claim: str = Field(
        default="credit_code", description="Claim with an enterprise's credit code or external id."
    )
    demo: bool = Field(default=False, description="Demo mode, as `serve --demo` sets it.")
    demo_enterprises: int = Field(
        default=2000,
        ge=1,
        le=1_000_000,
        description="Number of enterprises that demo mode puts into an empty database.",
    )
    hosts: str | None = Field(
        default=None,
        description="Names of this server in addresses, separated by commas; IP addresses, `localhost` and the"
        " machine's own name are always accepted.",
    )
    origins: str | None = Field(
        default=None,
        description="Origins of other sites whose pages may use this server as its own may, separated by commas:"
        " `https://map.example.org`.",
    )
    base_map: str | None = Field(
        default=None,
        description="Base map of the wall: the address of tiles, with `{z}`, `{x}` and `{y}`, or a PMTiles file;"
        " without it the wall shows its own geography alone.",
    )
    base_map_projection: base_maps.Projection = Field(
        default="EPSG:3857",
        description="Projection of the tiles at an address: `EPSG:3857`, `EPSG:4326` or `EPSG:4490`.",
    )
    camera_origins: str | None = Field(
        default=None,
        description="Origins from which browsers get the cameras' streams, separated by commas:"
        " `https://video.example.org`.",
    )
    announced: str | None = Field(
        default=None,
        description="Kinds of inspections that an enterprise sees from the dispatch on, separated by commas, such as"
        " `REINSPECTION`; it sees the others from the inspectors' arrival on.",
    )
    access_days: int = Field(
        default=183, ge=1, description="Days for which it is kept who read enterprises' personal data."
    )
    position_minutes: int = Field(
        default=30,
        ge=1,
        le=10_000_000,
        description="Age in minutes up to which an inspector's position counts for choosing who is nearest.",
    )
    offline_days: int = Field(
        default=30,
        ge=1,
        le=3_650,
        description="Days for which an act without a network may arrive late: idempotency keys and unused evidence are"
        " kept as long.",
    )
    clock_tolerance: float = Field(
        default=120, ge=0, le=86_400, description="Seconds by which the clock of a device may differ in `occurredAt`."
    )
    documents: str | None = Field(
        default=None, description="Manifest of trusted documents: a JSON file of documents by id."
    )
    documents_only: bool = Field(
        default=False, validate_default=True, description="Whether no document runs that is not in the manifest."
    )
    introspection: bool = Field(default=True, description="Whether clients may query the schema.")
    evidence_url: str = Field(
        default=str(VAR / "evidence"), description="Store for evidence: a directory, or `s3://bucket/prefix`."
    )
    evidence_limit: int = Field(
        default=10_485_760, ge=1024, description="Maximum size of one piece of evidence, in bytes."
    )
    import_limit: int = Field(
        default=104_857_600, ge=1024, description="Maximum size of the files of one import at the desk, in bytes."
    )
    body_limit: int = Field(default=1_048_576, ge=1024, description="Maximum size of a request's body, in bytes.")
    cost_limit: int = Field(
        default=COST_LIMIT,
        ge=1_000,
        description="Greatest cost of one operation of a commander or a program; inspectors and walls have half of it,"
        " enterprises a quarter.",
    )
    deadline: float = Field(
        default=10, gt=0, description="Longest time for one operation, in seconds: then it is stopped."
    )
    lock_timeout: float = Field(
        default=5,
        gt=0,
        description="Longest wait of a change for another one's lock in the database, in seconds: then it is `BUSY`.",
    )
    statement_timeout: float = Field(
        default=10,
        gt=0,
        description="Longest time for one statement of a change in PostgreSQL, in seconds: then it is `BUSY`.",
    )
    answer_limit: int = Field(
        default=16_777_216, ge=1024, description="Maximum size of the response to an operation, in bytes."
    )
    cache_bytes: int = Field(
        default=CACHE_BYTES, ge=CACHE_BYTES_MINIMUM, description="Maximum memory of one process's caches, in bytes."
    )
    pool_size: int = Field(default=10, ge=1, description="Maximum number of database connections per process.")
    servers: int = Field(
        default=1,
        ge=1,
        description="Servers with this database: `serve` warns where all may need too many connections.",
    )
    operations_per_minute: int = Field(
        default=12_000, ge=0, description="Operations of one viewer in a minute; 0 for no limit."
    )
    anonymous_per_minute: int = Field(
        default=1_200, ge=0, description="Operations without a token of one address in a minute; 0 for no limit."
    )
    failed_tokens_per_minute: int = Field(
        default=20, ge=1, description="Invalid tokens of one address in a minute, after which it has to wait."
    )
    streams_per_viewer: int = Field(
        default=200, ge=1, description="Sockets and HTTP streams of one viewer at once, in each process."
    )
    streams_per_address: int = Field(
        default=1_000, ge=1, description="Sockets and HTTP streams of one address at once, in each process."
    )
    subscriptions_per_viewer: int = Field(
        default=1_000, ge=1, description="Subscriptions of one viewer at once, in each process."
    )
    live_documents_per_viewer: int = Field(
        default=100, ge=1, description="Different subscriptions of one viewer at once, in each process."
    )
    live_documents: int = Field(
        default=2_000, ge=1, description="Different subscriptions of all viewers at once, in each process."
    )
    connections: int = Field(
        default=8_192, ge=1, description="Connections of one process, no more than it may have open files."
    )
    connections_per_address: int = Field(
        default=1_000, ge=1, description="Connections of one address to one process; proxies are not counted."
    )
    proxies: str = Field(
        default="127.0.0.1,::1",
        description="Addresses and networks of proxies, whose `X-Forwarded-For` and `X-Forwarded-Proto` count.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level of messages that are logged."
    )

    request_log: bool = Field(
        default=False,
        description="Whether each request, operation, socket and stream is logged, without personal data.",
    )
    slow_seconds: float = Field(
        default=1, ge=0, description="Time after which an operation is logged as slow, in seconds; 0 for none."
    )
    build: str | None = Field(
        default=None, description="Name of the build for `/metrics`; without it, the commit of the checkout."
    )

    @property
    def totp_roles(self) -> frozenset[Role]:
        """The roles whose people need TOTP."""
        return {"nobody": frozenset(), "commanders": frozenset({Role.COMMANDER}), "everybody": frozenset(Role)}[
            self.totp
        ]

    @field_validator("proxies")
    @classmethod
    def _check_networks(cls, value: str) -> str:
        networks(value)
        return value

    @property
    def claim_mapping(self) -> ClaimMapping:
        return ClaimMapping(
            roles_of(self.oidc_roles), self.oidc_role_claim, self.oidc_inspector_claim, self.oidc_enterprise_claim
        )

    @field_validator("secret")
    @classmethod
    def _check_length(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SECRET_MINIMUM:
            raise ValueError(f"at least {SECRET_MINIMUM} characters are needed")
        return value

    @field_validator("old_secrets")
    @classmethod
    def _check_old(cls, value: SecretStr | None) -> SecretStr | None:
        secrets_of(value)
        return value

    @field_validator("announced")
    @classmethod
    def _check_announced(cls, value: str | None) -> str | None:
        announced_kinds(value)
        return value

    @field_validator("hosts")
    @classmethod
    def _check_hosts(cls, value: str | None) -> str | None:
        host_names(value)
        return value

    @field_validator("base_map")
    @classmethod
    def _check_base_map(cls, value: str | None) -> str | None:
        if value is not None:
            base_maps.check(value)
        return value

    @field_validator("origins", "camera_origins")
    @classmethod
    def _check_origins(cls, value: str | None) -> str | None:
        origins(value)
        return value

    @field_validator("documents")
    @classmethod
    def _check_documents(cls, value: str | None) -> str | None:
        if value is not None:
            read_manifest(Path(value))
        return value

    @field_validator("documents_only")
    @classmethod
    def _check_only(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("documents") is None:
            raise ValueError("this needs HUHANG_DOCUMENTS")
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is not None and len(origins(value)) != 1:
            raise ValueError("this is one address, such as https://huhang.example.org")
        return value

    @field_validator("oidc_issuer", "jwks_url")
    @classmethod
    def _check_issuer(cls, value: str | None) -> str | None:
        if value is not None and not is_safe_url(value):
            raise ValueError("this is an address of HTTPS, or of HTTP on this machine")
        return value

    @field_validator("jwks_issuer", "jwks_audience")
    @classmethod
    def _check_jwks(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not value and info.data.get("jwks_url") is not None:
            raise ValueError("with HUHANG_JWKS_URL it is needed")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _check_roles(cls, value: str, info: ValidationInfo) -> str:
        if not roles_of(value) and (info.data.get("oidc_issuer") or info.data.get("jwks_url")):
            raise ValueError("with an identity provider at least one role is needed")
        return value

    @field_validator("oidc_client_id")
    @classmethod
    def _check_client(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("oidc_issuer") is not None:
            raise ValueError("with an identity provider it is needed")
        return value

    @field_validator("database_url")
    @classmethod
    def _check_kind(cls, value: str) -> str:
        driver_url(value)
        return value


def roles_of(value: str) -> dict[str, Role]:
    """The role for each value of the identity provider's claim. Raises ValueError."""
    try:
        return {str(claimed): Role[str(role).upper()] for claimed, role in json.loads(value).items()}
    except (json.JSONDecodeError, AttributeError, KeyError):
        raise ValueError('this is not JSON such as {"duty": "COMMANDER"}') from None


def announced_kinds(text: str | None) -> frozenset[InspectionKind]:
    """The kinds of inspections in HUHANG_ANNOUNCED. Raises ValueError."""
    names = {name.strip().upper() for name in (text or "").split(",") if name.strip()}
    possible = {kind.name: kind for kind in ANNOUNCEABLE}
    if unknown := names - possible.keys():
        raise ValueError(f"{', '.join(sorted(unknown))}: only {', '.join(sorted(possible))} can be announced")
    return frozenset(possible[name] for name in names)


def secrets_of(value: SecretStr | None) -> tuple[str, ...]:
    """The secrets in a setting: one, or several as a JSON array. Raises ValueError, which never shows one."""
    text = "" if value is None else value.get_secret_value().strip()
    try:
        secrets = json.loads(text) if text.startswith("[") else [text] if text else []
    except json.JSONDecodeError:
        raise ValueError("this is not a JSON array") from None
    if not all(isinstance(secret, str) and len(secret) >= SECRET_MINIMUM for secret in secrets):
        raise ValueError(f"at least {SECRET_MINIMUM} characters are needed for each")
    return tuple(secrets)


def secrets(settings: Settings) -> Secrets | None:
    """The server's secrets; None when none is set outside demo mode."""
    old = secrets_of(settings.old_secrets)
    if settings.secret is not None:
        return Secrets(settings.secret.get_secret_value(), old)
    return Secrets(demo_secret(VAR / "secret"), old) if settings.demo else None
