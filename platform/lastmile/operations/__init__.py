"""Running an installation over the years: status, audit, retention, backfills, samples."""
