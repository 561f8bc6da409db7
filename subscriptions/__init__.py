"""What has changed: the log of events, and who is told of them."""
