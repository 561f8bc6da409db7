"""The settings, from the environment with the prefix HUHANG_. The README has a table of them."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.db.database import driver_url
from web.auth.tokens import SECRET_MINIMUM, Tokens, demo_secret

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"


class Settings(BaseSettings):
    """Every setting has a default that is right for trying Huhang out on one machine."""

    model_config = SettingsConfigDict(env_prefix="HUHANG_", extra="ignore")

    database_url: str = Field(
        default=f"sqlite:///{VAR / 'huhang.db'}", description="Database: `sqlite:///…` or `postgresql://…`."
    )
    bus_url: str = Field(
        default="memory://", description="What rings other processes: `memory://` for one, `redis://…` among many."
    )
    retention_days: int | None = Field(
        default=None, ge=1, description="How far back a stream resumes; without it, to the beginning of the log."
    )
    secret: SecretStr | None = Field(
        default=None,
        description="What tokens are signed with, at least 32 characters. Demo mode makes its own without one.",
    )
    demo: bool = Field(default=False, description="Demo mode, as `serve --demo` sets it.")
    demo_enterprises: int = Field(
        default=2000, ge=1, le=1_000_000, description="Enterprises that demo mode fills an empty database with."
    )
    introspection: bool = Field(default=True, description="Whether clients may ask for the schema.")
    evidence_url: str = Field(
        default=str(VAR / "evidence"), description="Where evidence is kept: a directory, or `s3://bucket/prefix`."
    )
    evidence_limit: int = Field(
        default=10_485_760, ge=1024, description="Greatest size of one piece of evidence, in bytes."
    )
    body_limit: int = Field(default=1_048_576, ge=1024, description="Greatest size of a request's body, in bytes.")
    pool_size: int = Field(default=10, ge=1, description="Connections to the database for each process.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least grave messages that are logged."
    )

    @field_validator("secret")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SECRET_MINIMUM:
            raise ValueError(f"at least {SECRET_MINIMUM} characters are needed")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_of_a_known_kind(cls, value: str) -> str:
        driver_url(value)
        return value


def secret(settings: Settings) -> str | None:
    """What is signed with here; None where it is needed and not given."""
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    return demo_secret(VAR / "secret") if settings.demo else None


def tokens(settings: Settings) -> Tokens | None:
    """What makes and reads tokens here; None without a secret."""
    found = secret(settings)
    return None if found is None else Tokens(found)
