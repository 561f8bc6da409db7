"""Benchmarks. `python -m bench.NAME` runs one and writes its report to bench/results/; see bench/README.md."""
