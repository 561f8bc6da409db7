"""The servers that Huhang is compared with. Each does the same work in its usual way."""
