"""Streams: how far each partition of a topic was read, by whom, what was landed of it, and messages in quarantine."""

from alembic import op

revision = "0025"
down_revision = "0023"

POSITIONS = """
CREATE SCHEMA streams;
COMMENT ON SCHEMA streams IS 'what was read of topics; the broker is not relied on for it';
CREATE TABLE streams.positions (
    stream       text        NOT NULL,
    topic        text        NOT NULL,
    partition    integer     NOT NULL,
    generation   bigint      NOT NULL DEFAULT 1,
    consumer     text        NOT NULL,
    committed    bigint,
    landed       bigint,
    end_offset   bigint,
    event_time   timestamptz,
    read_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    committed_at timestamptz,
    events       bigint      NOT NULL DEFAULT 0,
    late         bigint      NOT NULL DEFAULT 0,
    duplicate    bigint      NOT NULL DEFAULT 0,
    quarantined  bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, topic, partition)
);
COMMENT ON TABLE streams.positions IS 'one row for each partition; committed with what was made of its events';
COMMENT ON COLUMN streams.positions.generation IS 'raised with each assignment: a commit of an earlier one is refused';
COMMENT ON COLUMN streams.positions.committed IS 'the next offset of which nothing is in the windows';
COMMENT ON COLUMN streams.positions.landed IS 'the next offset that is in no drop';
COMMENT ON COLUMN streams.positions.end_offset IS 'behind the last message of the partition, as last seen';
COMMENT ON COLUMN streams.positions.event_time IS 'the latest time of an event';
COMMENT ON COLUMN streams.positions.read_at IS 'when it last had messages, read or to be read';
COMMENT ON COLUMN streams.positions.late IS 'events older than the watermark, in quarantine or in their window';

CREATE TABLE streams.keys (
    stream     text        NOT NULL,
    key        uuid        NOT NULL,
    event_time timestamptz NOT NULL,
    PRIMARY KEY (key, stream)
);
CREATE INDEX keys_by_time ON streams.keys USING brin (event_time);
COMMENT ON TABLE streams.keys IS 'keys of events that may come again: those newer than the watermark';
COMMENT ON COLUMN streams.keys.key IS 'MD5 of the key';

CREATE TABLE streams.watermarks (
    stream      text        PRIMARY KEY,
    watermark   timestamptz NOT NULL,
    advanced_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE streams.watermarks IS 'the time before which a stream expects no further event; never goes back';

CREATE TABLE streams.groups (
    stream text PRIMARY KEY,
    name   text NOT NULL
);
COMMENT ON TABLE streams.groups IS
    'consumer groups; two installations that read the same topic must not share its partitions';

CREATE TABLE streams.segments (
    stream       text    NOT NULL,
    topic        text    NOT NULL,
    partition    integer NOT NULL,
    first_offset bigint  NOT NULL,
    last_offset  bigint  NOT NULL CHECK (last_offset >= first_offset),
    dataset      text    NOT NULL,
    day          date    NOT NULL,
    rows         bigint,
    bytes        bigint,
    written_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    landed_at    timestamptz,
    PRIMARY KEY (stream, topic, partition, first_offset)
);
COMMENT ON TABLE streams.segments IS
    'ranges of offsets that become drops; written before their objects, so that after a death the same range is';
COMMENT ON COLUMN streams.segments.day IS 'on which it was decided: later days were not yet a partition';

CREATE TABLE streams.consumers (
    stream       text        NOT NULL,
    consumer     text        NOT NULL,
    host         text        NOT NULL,
    pid          integer     NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    partitions   integer[]   NOT NULL DEFAULT '{}',
    problem      text,
    PRIMARY KEY (stream, consumer)
);
COMMENT ON TABLE streams.consumers IS 'processes that read a stream';

CREATE TABLE streams.gaps (
    stream      text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    first_offset bigint     NOT NULL,
    next_offset bigint      NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream, topic, partition, first_offset)
);
COMMENT ON TABLE streams.gaps IS 'messages that the broker had deleted before they were read';
"""

WINDOWS = """
CREATE SCHEMA windows;
COMMENT ON SCHEMA windows IS 'windows of streams, a table each';
"""

QUARANTINE = """
CREATE TABLE quarantine.messages (
    stream     text        NOT NULL,
    topic      text        NOT NULL,
    partition  integer     NOT NULL,
    "offset"   bigint      NOT NULL,
    index      integer     NOT NULL,
    rule       text        NOT NULL,
    reasons    jsonb       NOT NULL,
    lateness   interval,
    key        bytea,
    raw        bytea,
    bytes      bigint      NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream, topic, partition, "offset", index)
);
CREATE INDEX messages_by_time ON quarantine.messages (stream, at);
COMMENT ON TABLE quarantine.messages IS 'messages and events of streams that were left out, and why';
COMMENT ON COLUMN quarantine.messages.index IS 'of an event in its message';
COMMENT ON COLUMN quarantine.messages.rule IS 'message: it could not be decoded; late; ahead; or the first rule broken';
COMMENT ON COLUMN quarantine.messages.raw IS 'the message, or the event as JSON; at most a megabyte of it';
COMMENT ON COLUMN quarantine.messages.bytes IS 'its whole length';
"""


def upgrade() -> None:
    for statement in (POSITIONS, WINDOWS, QUARANTINE):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE quarantine.messages")
    op.execute("DROP SCHEMA windows CASCADE")
    op.execute("DROP SCHEMA streams CASCADE")
