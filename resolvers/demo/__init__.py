"""The demo: Xiaoshan on a given day. Everything but the geography is invented (`xiaoshan/ATTRIBUTION.md`).

`seed` writes it. `batches` makes the same rows without a database. Each file makes the rows of one noun; they share
the `Scene`.
"""

from resolvers.demo.seeding import Counts, DistrictExists, batches, seed

__all__ = ["Counts", "DistrictExists", "batches", "seed"]
