"""Which version of a model is in use, why, and what happened to each; what trainings and judgements led to."""

from alembic import op

revision = "0011"
down_revision = "0010"

VERSIONS = """
ALTER TABLE registry.model_versions
    ADD id bigint GENERATED ALWAYS AS IDENTITY,
    ADD model_type   text,
    ADD signature    jsonb NOT NULL DEFAULT '{}',
    ADD code_version text,
    ADD environment  jsonb NOT NULL DEFAULT '{}',
    ADD snapshot_key text,
    ADD held_out_key text,
    ADD onnx         jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN registry.model_versions.snapshot_key IS 'the rows it was fitted on, as Parquet in the store';
COMMENT ON COLUMN registry.model_versions.held_out_key IS
    'what was predicted, in evaluation, for rows the model had not seen, as Parquet in the store';
COMMENT ON COLUMN registry.model_versions.onnx IS 'key, sha256 and parity of the export, or why there is none';

CREATE FUNCTION registry.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: its rows are never changed or deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON registry.model_versions
    FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
"""

DEPLOYMENTS = """
CREATE TABLE registry.deployments (
    name        text        PRIMARY KEY,
    version     text        NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),
    held_since  timestamptz,
    held_by     text,
    held_reason text,
    FOREIGN KEY (name, version) REFERENCES registry.model_versions (name, version)
);
COMMENT ON TABLE registry.deployments IS 'the champion of each model; while it is held no candidate replaces it';

CREATE TABLE registry.events (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    name     text        NOT NULL,
    version  text        NOT NULL,
    event    text        NOT NULL
        CHECK (event IN ('registered', 'promoted', 'archived', 'suspected', 'rolled back', 'held', 'released')),
    previous text,
    reason   text        NOT NULL,
    actor    text        NOT NULL,
    run_id   text,
    FOREIGN KEY (name, version) REFERENCES registry.model_versions (name, version)
);
CREATE INDEX events_of_model ON registry.events (name, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON registry.events
    FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
COMMENT ON COLUMN registry.events.previous IS 'the champion that this one replaced';

-- What was in use until now: the newest version of each model.
INSERT INTO registry.deployments (name, version, since)
    SELECT DISTINCT ON (name) name, version, created_at FROM registry.model_versions ORDER BY name, version::int DESC;
INSERT INTO registry.events (at, name, version, event, reason, actor)
    SELECT since, name, version, 'promoted', 'in use before versions were promoted', 'lastmile'
    FROM registry.deployments;
"""

DEPLOY = """
CREATE FUNCTION registry.deploy(
    model text, new_version text, what text, why text, who text, run text, judged_against text, hold boolean
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    champion registry.deployments;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('registry.deployments ' || model));
    SELECT * INTO champion FROM registry.deployments WHERE name = model;
    IF what = 'promoted' AND champion.held_since IS NOT NULL THEN
        RETURN 'held';
    END IF;
    IF what = 'promoted' AND judged_against IS DISTINCT FROM coalesce(champion.version, '') THEN
        RETURN 'changed';
    END IF;
    IF champion.version = new_version AND NOT hold THEN
        RETURN 'same';
    END IF;
    INSERT INTO registry.deployments (name, version) VALUES (model, new_version)
        ON CONFLICT (name) DO UPDATE SET version = excluded.version, since = now();
    INSERT INTO registry.events (name, version, event, previous, reason, actor, run_id)
        VALUES (model, new_version, what, champion.version, why, who, run);
    IF champion.version <> new_version THEN
        INSERT INTO registry.events (name, version, event, reason, actor, run_id)
            VALUES (model, champion.version, 'archived', 'replaced by version ' || new_version, who, run);
    END IF;
    IF hold THEN
        UPDATE registry.deployments SET held_since = now(), held_by = who, held_reason = why WHERE name = model;
        INSERT INTO registry.events (name, version, event, reason, actor, run_id)
            VALUES (model, new_version, 'held', why, who, run);
    END IF;
    PERFORM pg_notify('registry_deployments', json_build_object('name', model, 'version', new_version)::text);
    RETURN 'deployed';
END $$;
COMMENT ON FUNCTION registry.deploy IS
    'puts a version in use, with its events and a notification, all or nothing: deployed, same, held or changed';
"""

JUDGEMENTS = """
CREATE TABLE registry.judgements (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    name       text        NOT NULL,
    version    text        NOT NULL,
    against    text        NOT NULL,
    decision   text        NOT NULL CHECK (decision IN ('promote', 'archive', 'suspect')),
    reasons    jsonb       NOT NULL,
    comparison jsonb       NOT NULL,
    run_id     text,
    FOREIGN KEY (name, version) REFERENCES registry.model_versions (name, version)
);
CREATE INDEX judgements_of_version ON registry.judgements (name, version, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON registry.judgements
    FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
COMMENT ON COLUMN registry.judgements.against IS 'the champion at that time; empty where there was none';

CREATE TABLE registry.trainings (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    name    text        NOT NULL,
    reason  text        NOT NULL,
    changes bigint      NOT NULL,
    run_id  text,
    outcome text,
    version text
);
CREATE INDEX trainings_of_model ON registry.trainings (name, id);
COMMENT ON COLUMN registry.trainings.changes IS 'labelled rows new or changed, ever, when it began';

CREATE TABLE registry.feature_partitions (
    name            text        NOT NULL,
    partition_start date        NOT NULL,
    rows            bigint      NOT NULL,
    labelled        jsonb       NOT NULL,
    changed         jsonb       NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, partition_start)
);
COMMENT ON COLUMN registry.feature_partitions.labelled IS 'rows with a value, by target';
COMMENT ON COLUMN registry.feature_partitions.changed IS
    'labelled rows that were new or changed, by target, counted over all times the partition was made';
"""

MODELS = """
CREATE VIEW registry.ml_models AS
SELECT
    versions.id,
    versions.name,
    versions.version,
    versions.model_type,
    versions.scores AS performance_metrics,
    deployments.version IS NOT NULL AS is_active,
    versions.created_at
FROM registry.model_versions AS versions
LEFT JOIN registry.deployments AS deployments USING (name, version);
"""


def upgrade() -> None:
    for statement in (VERSIONS, DEPLOYMENTS, DEPLOY, JUDGEMENTS, MODELS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW registry.ml_models")
    op.execute("DROP FUNCTION registry.deploy")
    for table in ("feature_partitions", "trainings", "judgements", "events", "deployments"):
        op.execute(f"DROP TABLE registry.{table}")
    op.execute("DROP TRIGGER immutable ON registry.model_versions")
    op.execute("DROP FUNCTION registry.refuse_change")
    for column in (
        "id", "model_type", "signature", "code_version", "environment", "snapshot_key", "held_out_key", "onnx",
    ):  # fmt: skip
        op.execute(f"ALTER TABLE registry.model_versions DROP {column}")
