"""What is quarantined and what is still to be decided, defined once as views; corrections of rows, with who and why."""

from alembic import op

revision = "0008"
down_revision = "0007"

ROWS = """
CREATE VIEW quarantine.rows_in_force AS
SELECT r.drop_id, d.store, d.dataset, d.partition, d.key, d.state, r.line, r.kind, r.raw, r.reasons, r.run_id, r.at,
    d.discarded_at IS NOT NULL OR decision.drop_id IS NOT NULL AS is_discarded,
    decision.why AS discarded_why
FROM quarantine.rows r
JOIN ledger.drops d ON d.id = r.drop_id AND d.state IN ('loaded', 'quarantined')
LEFT JOIN quarantine.discarded decision ON decision.drop_id = r.drop_id AND decision.line = r.line;

COMMENT ON VIEW quarantine.rows_in_force IS
    'quarantined rows of drops in force: a drop that a newer version replaced is not';

CREATE VIEW quarantine.undecided_rows AS SELECT * FROM quarantine.rows_in_force WHERE NOT is_discarded;

COMMENT ON VIEW quarantine.undecided_rows IS 'of these, the rows neither released nor discarded yet';
"""

DROPS = """
CREATE VIEW quarantine.drops AS
SELECT id, store, dataset, partition, key, version, size, modified_at, state, message, discarded_why,
    discarded_at IS NOT NULL AS is_discarded,
    retake IS NOT NULL AS is_requested,
    state = 'failed' AND settled_at IS NULL AS is_unfit
FROM ledger.drops WHERE state IN ('quarantined', 'failed', 'missing');

COMMENT ON VIEW quarantine.drops IS 'drops quarantined whole, failed or missing: no row of them is loaded';
COMMENT ON COLUMN quarantine.drops.is_requested IS 'a re-ingest is requested and not carried out yet';
COMMENT ON COLUMN quarantine.drops.is_unfit IS 'no contract fits its key; once one does, the next listing ingests it';
"""

CORRECTIONS = """
CREATE TABLE quarantine.corrections (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    drop_id bigint      NOT NULL REFERENCES ledger.drops,
    line    bigint      NOT NULL,
    cells   jsonb       NOT NULL,
    raw     text        NOT NULL,
    who     text        NOT NULL,
    why     text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX corrections_of_drop ON quarantine.corrections (drop_id, line, id);

COMMENT ON TABLE quarantine.corrections IS
    'corrected cells of quarantined rows; the newest of a line is applied whenever its drop is read';
COMMENT ON COLUMN quarantine.corrections.cells IS 'corrected text by header of the file';
COMMENT ON COLUMN quarantine.corrections.raw IS 'the text of the row as it was quarantined';
"""

COMMENTS = """
COMMENT ON COLUMN ledger.drops.discarded_at IS 'when the drop was discarded by decision';
COMMENT ON COLUMN ledger.drops.retake IS 'requested to be ingested again under the contract as it is then: these lines'
    ' of those quarantined, or the whole drop where empty; null where nothing is requested';
COMMENT ON COLUMN ledger.drops.refill IS 'columns requested to be filled from the rescued values of its rows; null'
    ' where nothing is requested';
COMMENT ON TABLE quarantine.discarded IS
    'quarantined rows discarded by decision; kept apart from the rows so that re-ingesting does not forget it';
COMMENT ON COLUMN ledger.state.undecided_drops IS 'drops quarantined whole, failed or missing, neither released nor'
    ' discarded yet';
COMMENT ON COLUMN ledger.state.undecided_rows IS
    'quarantined rows of drops whose other rows are loaded, neither released nor discarded yet';
COMMENT ON VIEW ledger.backlog IS 'drops found and not yet settled; a partition without any has no row';
COMMENT ON COLUMN ledger.backlog.waiting IS 'drops waiting, those being ingested at the moment among them';
COMMENT ON COLUMN ledger.backlog.claimed IS 'of which a worker holds';
"""


def upgrade() -> None:
    for statements in (ROWS, DROPS, CORRECTIONS, COMMENTS):
        op.execute(statements.replace(":", r"\:"))


def downgrade() -> None:
    op.execute("DROP TABLE quarantine.corrections")
    for view in ("drops", "undecided_rows", "rows_in_force"):
        op.execute(f"DROP VIEW quarantine.{view}")
