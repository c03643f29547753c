"""The ledger, the quarantine and the model registry, and the schemas of datasets, dbt models and features."""

from alembic import op

revision = "0001"
down_revision = None

LEDGER = """
CREATE TABLE ledger.drops (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset          text        NOT NULL,
    partition        text        NOT NULL,
    store            text        NOT NULL,
    key              text        NOT NULL,
    version          text        NOT NULL,
    size             bigint      NOT NULL,
    modified_at      timestamptz NOT NULL,
    discovered_at    timestamptz NOT NULL DEFAULT now(),
    state            text        NOT NULL DEFAULT 'discovered' CHECK (state IN (
        'discovered', 'claimed', 'loaded', 'quarantined', 'duplicate', 'superseded', 'missing', 'failed')),
    claim            uuid,
    claim_backend    text,
    claim_expires_at timestamptz,
    attempts         int         NOT NULL DEFAULT 0,
    not_before       timestamptz NOT NULL DEFAULT now(),
    settled_at       timestamptz,
    run_id           text,
    sha256           text,
    format           jsonb       NOT NULL DEFAULT '{}',
    schema_change    jsonb       NOT NULL DEFAULT '{}',
    contract_version text,
    cleaned_key      text,
    superseded_by    bigint REFERENCES ledger.drops,
    message          text,
    rows_read        bigint      NOT NULL DEFAULT 0,
    rows_loaded      bigint      NOT NULL DEFAULT 0,
    rows_quarantined bigint      NOT NULL DEFAULT 0,
    rows_duplicate   bigint      NOT NULL DEFAULT 0,
    UNIQUE (store, key, version),
    CHECK (rows_read = rows_loaded + rows_quarantined + rows_duplicate)
);
CREATE INDEX drops_pending ON ledger.drops (dataset, partition, id) WHERE state IN ('discovered', 'claimed');
CREATE INDEX drops_place ON ledger.drops (dataset, partition, state);
CREATE INDEX drops_content ON ledger.drops (sha256);

CREATE TABLE ledger.events (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    drop_id bigint      NOT NULL REFERENCES ledger.drops,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    state   text        NOT NULL,
    run_id  text,
    message text
);
CREATE INDEX events_of_drop ON ledger.events (drop_id, id);
"""

QUARANTINE = """
CREATE TABLE quarantine.rows (
    drop_id   bigint      NOT NULL REFERENCES ledger.drops,
    dataset   text        NOT NULL,
    partition text        NOT NULL,
    line      bigint      NOT NULL,
    kind      text        NOT NULL CHECK (kind IN ('bad', 'duplicate')),
    raw       text        NOT NULL,
    reasons   jsonb       NOT NULL,
    run_id    text,
    at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rows_of_drop ON quarantine.rows (drop_id, line);
CREATE INDEX rows_of_partition ON quarantine.rows (dataset, partition);
"""

REGISTRY = """
CREATE TABLE registry.model_versions (
    name          text        NOT NULL,
    version       text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    artifact_key  text        NOT NULL,
    sha256        text        NOT NULL,
    feature_set   text        NOT NULL,
    features      jsonb       NOT NULL,
    data_versions jsonb       NOT NULL,
    scores        jsonb       NOT NULL,
    run_id        text,
    PRIMARY KEY (name, version)
);

CREATE TABLE registry.predictions (
    name            text        NOT NULL,
    partition_start date        NOT NULL,
    model_name      text        NOT NULL,
    model_version   text        NOT NULL,
    rows            jsonb       NOT NULL,
    run_id          text,
    predicted_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, partition_start),
    FOREIGN KEY (model_name, model_version) REFERENCES registry.model_versions (name, version)
);
COMMENT ON COLUMN registry.predictions.rows IS 'number of predictions in the partition by predicted level';
"""

SCHEMAS = ("raw", "quarantine", "registry", "features", "predictions")


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for statement in (LEDGER, QUARANTINE, REGISTRY):
        op.execute(statement)


def downgrade() -> None:
    for schema in (*SCHEMAS, "ledger"):
        op.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
