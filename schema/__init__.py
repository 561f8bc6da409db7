"""The graph that clients see: its types, and how operations on it are executed."""
