"""Retention: what only describes the past goes after a while; rows of data, the ledger and what the present depends on
stay."""
