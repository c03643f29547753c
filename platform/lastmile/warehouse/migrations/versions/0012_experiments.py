"""Experiments: versions of one model compared on the same stream of units, who saw which, and what became of them."""

from alembic import op

revision = "0012"
down_revision = "0011"

EXPERIMENTS = """
CREATE TABLE registry.experiments (
    name         text             PRIMARY KEY,
    model        text             NOT NULL,
    mode         text             NOT NULL CHECK (mode IN ('shadow', 'split')),
    control      text             NOT NULL,
    treatments   text[]           NOT NULL CHECK (cardinality(treatments) > 0 AND control <> ALL (treatments)),
    unit         text[]           NOT NULL,
    metric       text             NOT NULL,
    alpha        double precision NOT NULL CHECK (alpha > 0 AND alpha < 1),
    planned_size bigint           NOT NULL CHECK (planned_size > 0),
    hypothesis   text             NOT NULL,
    salt         text             NOT NULL,
    FOREIGN KEY (model, control) REFERENCES registry.model_versions (name, version)
);
COMMENT ON TABLE registry.experiments IS 'the plan of each experiment, fixed when it is started';
COMMENT ON COLUMN registry.experiments.unit IS 'columns of the feature set that identify what is assigned to a version';
COMMENT ON COLUMN registry.experiments.salt IS 'random key of the hash that assigns units';
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON registry.experiments
    FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();

CREATE TABLE registry.experiment_events (
    id         bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz      NOT NULL DEFAULT clock_timestamp(),
    experiment text             NOT NULL REFERENCES registry.experiments (name),
    event      text             NOT NULL CHECK (event IN ('started', 'share changed', 'stopped', 'decided')),
    share      double precision CHECK (share > 0 AND share < 1),
    decision   text,
    verdict    text,
    reason     text             NOT NULL,
    actor      text             NOT NULL
);
CREATE INDEX experiment_events_of_experiment ON registry.experiment_events (experiment, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON registry.experiment_events
    FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
COMMENT ON COLUMN registry.experiment_events.share IS 'of units that treatments get from here on; in shadow none';
COMMENT ON COLUMN registry.experiment_events.decision IS 'the version that was decided for';
COMMENT ON COLUMN registry.experiment_events.verdict IS 'what the report said when it was decided';
"""

EXPOSURES = """
CREATE TABLE registry.exposures (
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    experiment  text        NOT NULL REFERENCES registry.experiments (name),
    entity      text[]      NOT NULL,
    unit        text        NOT NULL,
    cluster     text,
    version     text        NOT NULL,
    share       double precision,
    predictions jsonb       NOT NULL,
    PRIMARY KEY (experiment, entity)
);
CREATE INDEX exposures_of_unit ON registry.exposures (experiment, unit, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON registry.exposures
    FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
COMMENT ON TABLE registry.exposures IS
    'one row for each entity of an experiment: what it was answered first, by which version';
COMMENT ON COLUMN registry.exposures.entity IS
    'values of the feature set''s entity columns and first day of the partition, as text';
COMMENT ON COLUMN registry.exposures.cluster IS 'the feature set''s group: its rows resemble each other';
COMMENT ON COLUMN registry.exposures.version IS 'the version whose prediction was used';
COMMENT ON COLUMN registry.exposures.predictions IS 'by version: probabilities in the order of levels, or one number';

CREATE TABLE registry.outcomes (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    experiment text        NOT NULL,
    entity     text[]      NOT NULL,
    value      text        NOT NULL,
    FOREIGN KEY (experiment, entity) REFERENCES registry.exposures (experiment, entity)
);
CREATE INDEX outcomes_of_entity ON registry.outcomes (experiment, entity, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON registry.outcomes
    FOR EACH ROW EXECUTE FUNCTION registry.refuse_change();
COMMENT ON TABLE registry.outcomes IS
    'the target of exposed entities; of several rows the first says when it was known, the last what it is';
"""


def upgrade() -> None:
    for statement in (EXPERIMENTS, EXPOSURES):
        op.execute(statement)


def downgrade() -> None:
    for table in ("outcomes", "exposures", "experiment_events", "experiments"):
        op.execute(f"DROP TABLE registry.{table}")
