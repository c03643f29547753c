"""Submissions of forms, by their versions: what is in force follows from all of them."""

from alembic import op

revision = "0019"
down_revision = "0018"

VERSIONS = """
CREATE TABLE submissions.form_versions (
    place       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    form        text        NOT NULL,
    submission  text,
    standing    bytea,
    revision    bigint,
    names       text[]      NOT NULL,
    digest      bytea       NOT NULL,
    version     text        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (form, digest)
);
CREATE INDEX form_versions_by_name ON submissions.form_versions USING gin (names);
CREATE INDEX form_versions_of_submission ON submissions.form_versions (form, submission);
COMMENT ON TABLE submissions.form_versions IS 'what ODK Central and KoboToolbox delivered, each version once';
COMMENT ON COLUMN submissions.form_versions.place IS 'order of arrival';
COMMENT ON COLUMN submissions.form_versions.submission IS 'the record that its submission is';
COMMENT ON COLUMN submissions.form_versions.standing IS 'digest of how its submission stands, as this revision';
COMMENT ON COLUMN submissions.form_versions.names IS 'ids of the versions that it names, its own among them';
"""


def upgrade() -> None:
    op.execute(VERSIONS)


def downgrade() -> None:
    op.execute("DROP TABLE submissions.form_versions")
