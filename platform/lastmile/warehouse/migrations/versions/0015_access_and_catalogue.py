"""Who may do what over HTTP, an audit log of what was written, and what is declared, as plain data."""

from alembic import op

revision = "0015"
down_revision = "0014"

USERS = """
CREATE SCHEMA access;
CREATE TABLE access.users (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text        NOT NULL UNIQUE CHECK (name <> ''),
    role          text        NOT NULL CHECK (role IN ('viewer', 'analyst', 'engineer', 'admin')),
    password_hash text,
    issuer        text,
    subject       text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text        NOT NULL,
    disabled_at   timestamptz,
    UNIQUE (issuer, subject),
    CHECK ((issuer IS NULL) = (subject IS NULL))
);
COMMENT ON COLUMN access.users.password_hash IS 'Argon2id; null for a user of an organisation''s own sign-in';
COMMENT ON COLUMN access.users.subject IS 'how the issuer of an OpenID Connect sign-in names the user';

CREATE TABLE access.sessions (
    id         uuid        PRIMARY KEY,
    user_id    bigint      NOT NULL REFERENCES access.users ON DELETE CASCADE,
    refresh    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_of_user ON access.sessions (user_id);
COMMENT ON COLUMN access.sessions.refresh IS 'HMAC of the only valid refresh token; an older one ends the session';

CREATE TABLE access.keys (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prefix       text        NOT NULL UNIQUE,
    digest       bytea       NOT NULL,
    name         text        NOT NULL,
    role         text        NOT NULL CHECK (role IN ('viewer', 'analyst', 'engineer', 'admin', 'device')),
    scopes       text[],
    datasets     text[],
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text        NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
COMMENT ON COLUMN access.keys.digest IS 'HMAC of the secret part; the key itself is shown once and kept nowhere';
COMMENT ON COLUMN access.keys.scopes IS 'the permissions of its role that it has; null: all of them';
COMMENT ON COLUMN access.keys.datasets IS 'the datasets it may upload to; null: all';

CREATE TABLE access.setup (
    is_first   boolean     PRIMARY KEY DEFAULT true CHECK (is_first),
    digest     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz
);
COMMENT ON TABLE access.setup IS 'the secret printed at the first start, with which the first admin is made, once';
"""

AUDIT = """
CREATE TABLE access.audit (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor   text        NOT NULL,
    action  text        NOT NULL,
    subject text        NOT NULL,
    rows    bigint,
    request text
);
CREATE INDEX audit_by_time ON access.audit (at);
COMMENT ON TABLE access.audit IS 'who wrote what, and how many rows; never values';
COMMENT ON COLUMN access.audit.request IS 'id of the HTTP request, as in its answer''s X-Request-Id';

CREATE FUNCTION access.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: its rows are never changed or deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON access.audit
    FOR EACH ROW EXECUTE FUNCTION access.refuse_change();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON access.audit
    FOR EACH STATEMENT EXECUTE FUNCTION access.refuse_change();
"""

CATALOGUE = """
CREATE SCHEMA catalogue;
CREATE TABLE catalogue.entries (
    kind         text        NOT NULL,
    name         text        NOT NULL,
    body         jsonb       NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, name)
);
COMMENT ON TABLE catalogue.entries IS
    'datasets, feature sets, models and relations as declared, for those who do not import the declarations';
"""


def upgrade() -> None:
    for statement in (USERS, AUDIT, CATALOGUE):
        op.execute(statement.replace(":", r"\:"))


def downgrade() -> None:
    for schema in ("catalogue", "access"):
        op.execute(f"DROP SCHEMA {schema} CASCADE")
