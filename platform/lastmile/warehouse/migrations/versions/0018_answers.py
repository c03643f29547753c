"""The log of predictions that were answered over HTTP; changes of experiments are notified."""

from alembic import op

revision = "0018"
down_revision = "0017"

ANSWERS = """
CREATE TABLE registry.answers (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL,
    model        text        NOT NULL,
    version      text        NOT NULL,
    experiment   text,
    variant      text        CHECK (variant IN ('control', 'treatment')),
    entity       text[],
    output       jsonb       NOT NULL,
    milliseconds real        NOT NULL,
    principal    text        NOT NULL,
    request      text        NOT NULL
);
CREATE INDEX answers_of_model ON registry.answers (model, at);
COMMENT ON TABLE registry.answers IS 'one row for each prediction answered to a request, without its inputs';
COMMENT ON COLUMN registry.answers.entity IS
    'values of the feature set''s entity columns and first day of the partition, as text; null where not given';
COMMENT ON COLUMN registry.answers.output IS 'level and probabilities by level, or value';
COMMENT ON COLUMN registry.answers.milliseconds IS 'from the request''s arrival to its answer';
"""
#: Processes that answer requests hear of it at once.
EXPERIMENTS = """
CREATE FUNCTION registry.notify_of_experiment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('registry_deployments', '');
    RETURN NULL;
END $$;
CREATE TRIGGER notified AFTER INSERT ON registry.experiment_events
    FOR EACH STATEMENT EXECUTE FUNCTION registry.notify_of_experiment();
"""


def upgrade() -> None:
    op.execute("COMMENT ON SCHEMA registry IS 'versions of models, what is in use, and what was predicted'")
    op.execute(ANSWERS)
    op.execute(EXPERIMENTS)


def downgrade() -> None:
    op.execute("DROP TRIGGER notified ON registry.experiment_events")
    op.execute("DROP FUNCTION registry.notify_of_experiment")
    op.execute("DROP TABLE registry.answers")
    op.execute("COMMENT ON SCHEMA registry IS NULL")
