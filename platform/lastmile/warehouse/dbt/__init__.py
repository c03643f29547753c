"""The dbt project: its profile, sources, prepared copies, command line, CI."""
