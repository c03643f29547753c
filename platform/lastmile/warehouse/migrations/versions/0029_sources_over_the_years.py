"""Runs of sources are found by what they fetched, so that removing old fetches does not read all runs for each; and
sources of changes that nothing reads at the moment are looked at."""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.execute("CREATE INDEX runs_by_fetch ON sources.runs (fetch_id) WHERE fetch_id IS NOT NULL")
    op.execute("ALTER TABLE sources.changes ADD looked_at timestamptz")
    op.execute(
        "COMMENT ON COLUMN sources.changes.looked_at IS"
        " 'when its database last said where its log ends while nothing read it'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE sources.changes DROP looked_at")
    op.execute("DROP INDEX sources.runs_by_fetch")
