"""How to get it and how to change it. Takes and returns rows and plain values; knows nothing of GraphQL."""
