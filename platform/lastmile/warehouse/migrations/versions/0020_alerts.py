"""Alerts: what is declared, how each stands, messages on their way, silences, and what happened."""

from alembic import op

revision = "0020"
down_revision = "0019"

ALERTS = """
CREATE TABLE operations.alert_declarations (
    kind         text        NOT NULL CHECK (kind IN ('rule', 'route')),
    place        int         NOT NULL,
    body         jsonb       NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, place)
);
COMMENT ON TABLE operations.alert_declarations IS 'rules and routes as declared, written when the code is loaded';

CREATE TABLE operations.alerts (
    rule            text             NOT NULL,
    subject         text             NOT NULL,
    part            text             NOT NULL,
    owner           text             NOT NULL,
    severity        text             NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    threshold       double precision NOT NULL,
    value           double precision NOT NULL,
    text            text             NOT NULL,
    state           text             NOT NULL CHECK (state IN ('pending', 'firing', 'recovered')),
    since           timestamptz      NOT NULL,
    fired_at        timestamptz,
    clear_since     timestamptz,
    ended_at        timestamptz,
    announced_at    timestamptz,
    escalated_at    timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    flaps           int              NOT NULL DEFAULT 0,
    channels        text[]           NOT NULL DEFAULT '{}',
    PRIMARY KEY (rule, subject, part)
);
COMMENT ON TABLE operations.alerts IS 'how each alert stands; one that recovered is remembered for an hour';
COMMENT ON COLUMN operations.alerts.part IS 'what of the subject, such as a partition; empty where it is all of it';
COMMENT ON COLUMN operations.alerts.channels IS 'that know of it, and learn of its end';

CREATE TABLE operations.alert_events (
    id       bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz      NOT NULL,
    rule     text             NOT NULL,
    subject  text             NOT NULL,
    part     text             NOT NULL,
    owner    text             NOT NULL,
    severity text             NOT NULL,
    event    text             NOT NULL,
    value    double precision NOT NULL,
    text     text             NOT NULL
);
CREATE INDEX alert_events_by_time ON operations.alert_events (at);
"""

MESSAGES = """
CREATE TABLE operations.alert_messages (
    id       text        PRIMARY KEY,
    made_at  timestamptz NOT NULL,
    what     text        NOT NULL CHECK (what IN ('firing', 'repeated', 'escalated', 'recovered', 'test')),
    rule     text        NOT NULL,
    owner    text        NOT NULL,
    severity text        NOT NULL,
    channels text[]      NOT NULL,
    title    text        NOT NULL,
    body     text        NOT NULL,
    about    jsonb       NOT NULL
);
CREATE INDEX alert_messages_by_time ON operations.alert_messages (made_at);

CREATE TABLE operations.alert_deliveries (
    message      text        NOT NULL REFERENCES operations.alert_messages ON DELETE CASCADE,
    channel      text        NOT NULL,
    attempts     int         NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    error        text,
    PRIMARY KEY (message, channel)
);
CREATE INDEX alert_deliveries_due ON operations.alert_deliveries (next_at) WHERE delivered_at IS NULL;
COMMENT ON TABLE operations.alert_deliveries IS 'a message on its way to one channel, tried until that has it';

CREATE TABLE operations.alert_silences (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule    text        NOT NULL DEFAULT '*',
    subject text        NOT NULL DEFAULT '*',
    part    text        NOT NULL DEFAULT '*',
    owner   text        NOT NULL DEFAULT '*',
    until   timestamptz NOT NULL,
    comment text        NOT NULL CHECK (comment <> ''),
    by      text        NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE operations.alert_silences IS 'alerts that fit all four patterns are not announced until then';

CREATE TABLE operations.watcher (
    one     boolean     PRIMARY KEY DEFAULT true CHECK (one),
    host    text        NOT NULL,
    pid     int         NOT NULL,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE operations.watcher IS 'the process that evaluates alerts, and when it last did';
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS operations")
    op.execute(ALERTS)
    op.execute(MESSAGES)


def downgrade() -> None:
    op.execute(
        "DROP TABLE operations.alert_deliveries, operations.alert_messages, operations.alert_silences,"
        " operations.alert_events, operations.alerts, operations.alert_declarations, operations.watcher"
    )
    op.execute(  # what other migrations keep there stays
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'operations'::regnamespace)"
        " THEN DROP SCHEMA operations; END IF; END $$"
    )
