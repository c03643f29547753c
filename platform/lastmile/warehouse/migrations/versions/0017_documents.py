"""Documents: JSON of apps, by collection."""

from alembic import op

revision = "0017"
down_revision = "0016"

DOCUMENTS = """
CREATE SCHEMA documents;
CREATE TABLE documents.documents (
    collection text        NOT NULL,
    id         text        NOT NULL,
    body       jsonb       NOT NULL CHECK (jsonb_typeof(body) = 'object'),
    revision   bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text        NOT NULL,
    PRIMARY KEY (collection, id)
);
CREATE INDEX documents_by_content ON documents.documents USING gin (body jsonb_path_ops);
COMMENT ON TABLE documents.documents IS 'JSON objects of apps; nothing of the data is made from them';
COMMENT ON COLUMN documents.documents.revision IS 'counts its changes';

CREATE TABLE documents.requests (
    actor      text        NOT NULL,
    key        text        NOT NULL,
    digest     bytea       NOT NULL,
    collection text        NOT NULL,
    id         text        NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor, key)
);
CREATE INDEX requests_by_time ON documents.requests (at);
COMMENT ON TABLE documents.requests IS 'which document an Idempotency-Key made, so that a repeat makes no other';
"""


def upgrade() -> None:
    for statement in DOCUMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    op.execute("DROP SCHEMA documents CASCADE")
