"""The greatest cost of an operation, where no setting says otherwise. The settings read it without graphql-core."""

COST_LIMIT = 400_000  # of a commander's operation (schema/execution/cost.py): about 8 MB
