"""Alembic's environment. It uses the connection, and so the transaction, that models.db.migrate passes in."""

from alembic import context
from sqlmodel import SQLModel

import models  # noqa: F401  (the tables register themselves)

context.configure(connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata)
context.run_migrations()
