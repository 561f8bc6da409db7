"""The tokens of the commands that act on a demo server."""

from web.auth.tokens import Tokens
from web.settings import Settings, secrets


def demo_tokens(settings: Settings) -> Tokens:
    """Signs tokens for a demo server. Without HUHANG_SECRET it uses the demo's secret, which lies under var/."""
    own = secrets(settings.model_copy(update={"demo": True}))
    assert own is not None
    return Tokens(own.current, *own.old)
