"""Postgres: connections, binary COPY, locks, tables of datasets, migrations, dbt."""
