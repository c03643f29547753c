"""Run by Alembic: applies the revisions in the transaction that `lastmile.warehouse.migrate` has opened."""

from alembic import context

from lastmile.warehouse.migrate import VERSION_SCHEMA

context.configure(connection=context.config.attributes["connection"], version_table_schema=VERSION_SCHEMA)
context.run_migrations()
