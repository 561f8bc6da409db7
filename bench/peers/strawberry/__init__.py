"""Plain Strawberry over the same tables."""
