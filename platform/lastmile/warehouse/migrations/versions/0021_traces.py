"""Which trace a drop is part of: that of the request that sent it, or one begun when it was discovered."""

from alembic import op

revision = "0021"
down_revision = "0020"

TRACES = """
ALTER TABLE ledger.drops ADD traceparent text;
COMMENT ON COLUMN ledger.drops.traceparent IS
    'its place in a trace (W3C traceparent); null where nothing was traced when it was discovered';
ALTER TABLE submissions.jobs ADD traceparent text;
COMMENT ON COLUMN submissions.jobs.traceparent IS 'the place of its request in a trace (W3C traceparent)';
CREATE INDEX jobs_traced ON submissions.jobs (key, place) WHERE traceparent IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(TRACES)


def downgrade() -> None:
    op.execute("ALTER TABLE submissions.jobs DROP traceparent")
    op.execute("ALTER TABLE ledger.drops DROP traceparent")
