"""Alembic's entry: it runs on the connection, and in the transaction, that models.migrate hands it."""

from alembic import context
from sqlmodel import SQLModel

import models  # noqa: F401  (the tables register themselves)

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
context.run_migrations()
