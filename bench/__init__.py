"""Measurements: each module makes one, by `python -m bench.NAME`, and writes what came out to bench/results/."""
