"""Keys for each purpose, derived from the server's secret, so that none can be used in place of another."""

import enum
from dataclasses import dataclass

SECRET_MINIMUM = 32  # characters


class Purpose(enum.Enum):
    """What a key is for. The values are part of the derivation, so they never change."""

    TOKENS = "huhang tokens"
    EVIDENCE_ADDRESSES = "huhang evidence addresses"
    ACCOUNTS = "huhang accounts"
    OIDC_FLOWS = "huhang oidc flows"


@dataclass(frozen=True)
class Secrets:
    """The server's secret, and those that it had before or will have next: they verify, but never sign."""

    current: str
    old: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(len(secret) < SECRET_MINIMUM for secret in (self.current, *self.old)):
            raise ValueError(f"a secret needs at least {SECRET_MINIMUM} characters")

    def keys(self, purpose: Purpose) -> list[bytes]:
        """The keys of 32 bytes for a purpose. The first one is for new signatures and ciphertexts."""
        return [derive(secret, purpose) for secret in dict.fromkeys((self.current, *self.old))]


def derive(secret: str, purpose: Purpose) -> bytes:
    """A key of 32 bytes (HKDF with SHA-256, RFC 5869)."""
    # Imported late: the settings need this module, but most commands no key.
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), length=32, salt=None, info=purpose.value.encode()).derive(secret.encode())
