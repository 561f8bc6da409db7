"""Reads and changes rows. Takes and returns rows and plain values; does not know GraphQL."""
