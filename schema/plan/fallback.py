"""How a plan gives up."""


class FallbackRequired(Exception):
    """graphql-core must answer this operation: it has an error, or needs something that plans do not support."""
