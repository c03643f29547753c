"""Run by Alembic: applies the revisions in the transaction that `lastmile.warehouse.migrating` has opened."""

from alembic import context

from lastmile.warehouse.migrating import VERSION_SCHEMA

context.configure(connection=context.config.attributes["connection"], version_table_schema=VERSION_SCHEMA)
context.run_migrations()
