"""The settings, from the environment with the prefix HUHANG_. The README has a table of them."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"


class Settings(BaseSettings):
    """Every setting has a default that is right for trying Huhang out on one machine."""

    model_config = SettingsConfigDict(env_prefix="HUHANG_", extra="ignore")

    database_url: str = Field(
        default=f"sqlite:///{VAR / 'huhang.db'}", description="Database: `sqlite:///…` or `postgresql://…`."
    )
    demo: bool = Field(default=False, description="Demo mode, as `serve --demo` sets it.")
    introspection: bool = Field(default=True, description="Whether clients may ask for the schema.")
    body_limit: int = Field(default=1_048_576, ge=1024, description="Greatest size of a request's body, in bytes.")
    pool_size: int = Field(default=10, ge=1, description="Connections to the database for each process.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least grave messages that are logged."
    )
