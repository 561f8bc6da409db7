"""The servers that Huhang is measured beside. Each does the same work in its own plain way."""
