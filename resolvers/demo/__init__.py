"""The demo: Xiaoshan as it might stand on a given day. All but its geography is made up (`xiaoshan/ATTRIBUTION.md`).

`seed` writes it. `batches` makes the same rows without a database. Each file makes the rows of one noun; what they
share is the `Scene`.
"""

from resolvers.demo.seeding import Counts, DistrictExists, batches, seed

__all__ = ["Counts", "DistrictExists", "batches", "seed"]
