"""Alembic's environment. It uses the connection, and so the transaction, that models.db.migrate passes in."""

from alembic import context

from models import Event

context.configure(connection=context.config.attributes["connection"], target_metadata=Event.metadata)
context.run_migrations()
