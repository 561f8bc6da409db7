"""Predicates for retired enterprises: of a filter that names them, and of one that does not and leaves them out."""

import models
from resolvers.sql.predicates import Flag, IsNull, Not

IS_CURRENT = IsNull(models.Enterprise.retired_at)
RETIRED = Flag(Not(IS_CURRENT), IS_CURRENT)
