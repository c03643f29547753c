"""What Prometheus scrapes of the platform as a whole: state in Postgres, and what its processes count."""
