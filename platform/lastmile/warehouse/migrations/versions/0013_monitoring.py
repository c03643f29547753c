"""How a partition's inputs, predictions and errors compare with those the champion was trained on."""

from alembic import op

revision = "0013"
down_revision = "0012"

MONITORING = """
CREATE TABLE registry.monitoring (
    name                text        NOT NULL,
    partition_start     date        NOT NULL,
    model_version       text        NOT NULL,
    rows                bigint      NOT NULL,
    compared_with       bigint      NOT NULL,
    new_labelled        bigint      NOT NULL,
    drifted             text[]      NOT NULL,
    predictions_drifted text,
    metric              text,
    score               double precision,
    score_error         double precision,
    expected            double precision,
    expected_error      double precision,
    performance_fell    boolean     NOT NULL,
    run_id              text,
    monitored_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, partition_start),
    FOREIGN KEY (name, model_version) REFERENCES registry.model_versions (name, version)
);
COMMENT ON COLUMN registry.monitoring.new_labelled IS 'labelled rows that the version was not trained on';
COMMENT ON COLUMN registry.monitoring.drifted IS 'inputs that drifted, each with its size; all are in registry.drift';
COMMENT ON COLUMN registry.monitoring.expected IS 'the score of the version in its evaluation';

CREATE TABLE registry.drift (
    name            text    NOT NULL,
    partition_start date    NOT NULL,
    feature         text    NOT NULL,
    test            text    NOT NULL,
    effect          double precision NOT NULL,
    p_value         double precision NOT NULL,
    psi             double precision NOT NULL,
    critical_psi    double precision NOT NULL,
    missing_then    double precision NOT NULL,
    missing_now     double precision NOT NULL,
    p_missing       double precision NOT NULL,
    adjusted_p      double precision NOT NULL,
    drifted         boolean NOT NULL,
    bins            jsonb   NOT NULL,
    PRIMARY KEY (name, partition_start, feature),
    FOREIGN KEY (name, partition_start) REFERENCES registry.monitoring ON DELETE CASCADE
);
COMMENT ON COLUMN registry.drift.feature IS 'an input, or the target: then it is of what is predicted';
COMMENT ON COLUMN registry.drift.effect IS 'Kolmogorov and Smirnov''s D of a number, Cramér''s V of a category, 0 to 1';
COMMENT ON COLUMN registry.drift.critical_psi IS 'above it the PSI is by luck in one case of twenty';
COMMENT ON COLUMN registry.drift.adjusted_p IS 'over all inputs of the partition (Benjamini and Hochberg)';
"""


def upgrade() -> None:
    op.execute(MONITORING)


def downgrade() -> None:
    op.execute("DROP TABLE registry.drift, registry.monitoring")
