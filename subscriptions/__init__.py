"""The log of events, and the feed that sends them to subscribers."""
