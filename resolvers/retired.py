"""Which enterprises are retired: the predicate of filters, and the one that holds where a filter says nothing of it."""

import models
from resolvers.sql.predicates import Flag, IsNull, Not

IS_CURRENT = IsNull(models.Enterprise.retired_at)
RETIRED = Flag(Not(IS_CURRENT), IS_CURRENT)
