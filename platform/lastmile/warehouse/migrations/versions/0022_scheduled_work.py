"""Scheduled work: what happened on each day, what was exported, which reports were made and mailed."""

from alembic import op

revision = "0022"
down_revision = "0021"

DAYS = """
CREATE SCHEMA figures;
COMMENT ON SCHEMA figures IS 'what happened on each day; small, and kept for ever';
CREATE TABLE figures.days (
    day           date        PRIMARY KEY,
    aggregated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_id        text
);
COMMENT ON TABLE figures.days IS 'days (UTC) that are aggregated in the other tables, those without drops as well';

CREATE TABLE figures.drops (
    day              date   NOT NULL REFERENCES figures.days ON DELETE CASCADE,
    dataset          text   NOT NULL,
    partition        text   NOT NULL,
    drops            bigint NOT NULL,
    loaded           bigint NOT NULL,
    quarantined      bigint NOT NULL,
    failed           bigint NOT NULL,
    waiting          bigint NOT NULL,
    bytes            bigint NOT NULL,
    rows_read        bigint NOT NULL,
    rows_loaded      bigint NOT NULL,
    rows_quarantined bigint NOT NULL,
    rows_duplicate   bigint NOT NULL,
    lag_seconds      double precision,
    lateness_seconds double precision,
    PRIMARY KEY (day, dataset, partition)
);
COMMENT ON TABLE figures.drops IS 'drops found on each day, by dataset and partition, and what became of them';
COMMENT ON COLUMN figures.drops.lag_seconds IS 'from being found to being settled, of the slowest';
COMMENT ON COLUMN figures.drops.lateness_seconds IS 'after the end of the partition, of the latest';

CREATE TABLE figures.predictions (
    day             date   NOT NULL REFERENCES figures.days ON DELETE CASCADE,
    model           text   NOT NULL,
    partition_start date   NOT NULL,
    version         text   NOT NULL,
    level           text   NOT NULL,
    predictions     bigint NOT NULL,
    PRIMARY KEY (day, model, partition_start, level)
);
COMMENT ON TABLE figures.predictions IS
    'partitions predicted on each day, by level; of one predicted several times the last time of the day';

CREATE TABLE figures.answers (
    day     date   NOT NULL REFERENCES figures.days ON DELETE CASCADE,
    model   text   NOT NULL,
    version text   NOT NULL,
    level   text   NOT NULL,
    answers bigint NOT NULL,
    PRIMARY KEY (day, model, version, level)
);
COMMENT ON TABLE figures.answers IS 'predictions answered over HTTP on each day, by level; a number has none';
"""

EXPORTED = """
CREATE TABLE operations.exported (
    id             bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz      NOT NULL DEFAULT clock_timestamp(),
    export         text             NOT NULL,
    target         text             NOT NULL,
    replaced       text[]           NOT NULL,
    removed        text[]           NOT NULL,
    unchanged      bigint           NOT NULL,
    rows           bigint           NOT NULL,
    bytes          bigint           NOT NULL,
    rows_at_target bigint           NOT NULL,
    watermark      text             NOT NULL,
    seconds        double precision NOT NULL,
    run_id         text
);
CREATE INDEX exported_by_export ON operations.exported (export, id);
COMMENT ON TABLE operations.exported IS 'each time that an export was carried out';
COMMENT ON COLUMN operations.exported.replaced IS 'windows whose rows were not what the target had';
COMMENT ON COLUMN operations.exported.watermark IS 'data version of all windows together, as the target has them now';
"""

REPORTS = """
CREATE TABLE operations.editions (
    report    text        NOT NULL,
    week      date        NOT NULL,
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    folder    text        NOT NULL,
    mailed_at timestamptz,
    run_id    text,
    PRIMARY KEY (report, week)
);
COMMENT ON TABLE operations.editions IS 'weekly reports that were made; week is its Monday';
COMMENT ON COLUMN operations.editions.mailed_at IS 'an edition is mailed once, however often it is made';
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS operations")
    for statement in (DAYS, EXPORTED, REPORTS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE operations.editions, operations.exported")
    op.execute("DROP SCHEMA figures CASCADE")
