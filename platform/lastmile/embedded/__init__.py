"""What `lastmile up` needs on one machine and nothing else does: Postgres, supervised processes, a session."""
