"""Which enterprises are retired: the predicate of filters, and the condition where a client says nothing of it."""

import models
from resolvers.sql.predicates import Condition, Conditions, Flag, IsNull, Not

IS_CURRENT = IsNull(models.Enterprise.retired_at)
RETIRED = Flag(Not(IS_CURRENT), IS_CURRENT)
CURRENT: Conditions = (Condition(IS_CURRENT),)
