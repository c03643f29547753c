"""Attacks by SQL: each is refused by the role alone, with the statement unread, and by the fence alone."""

import time

import psycopg
import pytest

from lastmile.warehouse.sandbox import SCHEMAS, Limits, Refused, Role, check, prepare, run

PERSONAL = {"hhid"}
LIMITS = Limits(rows=1_000, bytes=2**20, seconds=3)


@pytest.fixture
def owner(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE SCHEMA marts; CREATE TABLE marts.fct (hhid text, level text, hours float8);"
            "INSERT INTO marts.fct VALUES ('CANARY', 'low', 1), ('CANARY2', 'high', 2);"
            "CREATE VIEW marts.v AS SELECT * FROM marts.fct;"
            "CREATE TABLE raw.visits (hhid text, hours float8, _rescued jsonb)"
        )
        yield connection


def role_of(connection, is_personal=False):
    role = Role.of(connection.info.dbname, b"secret", is_personal)
    prepare(connection, role, PERSONAL, anew=True)
    return role


@pytest.fixture
def role(owner):
    return role_of(owner)


def rows(database_url, role, statement, parameters=(), limits=LIMITS):
    return [bytes(row).decode() for row in run(database_url, role, statement, parameters, limits).rows]


ATTACKS = {
    "insert": "INSERT INTO marts.fct VALUES ('x')",
    "insert in a WITH": "WITH x AS (INSERT INTO marts.fct VALUES ('x') RETURNING 1) SELECT * FROM x",
    "delete in a WITH": "WITH x AS (DELETE FROM marts.fct RETURNING 1) SELECT * FROM x",
    "two statements": "SELECT 1; DELETE FROM marts.fct",
    "close and go on": "SELECT 1) AS q; DELETE FROM marts.fct; SELECT * FROM (SELECT 1",
    "commit": "COMMIT",
    "select into": "SELECT * INTO marts.copy FROM marts.fct",
    "temporary table": "CREATE TEMP TABLE x AS SELECT 1",
    "create": "CREATE TABLE public.x (a int)",
    "lock rows": "SELECT level FROM marts.fct FOR UPDATE",
    "lock table": "LOCK TABLE marts.fct",
    "become another": "SET ROLE postgres",
    "reset": "RESET SESSION AUTHORIZATION",
    "set": "SET statement_timeout = 0",
    "set by function": "SELECT set_config('statement_timeout', '0', false)",
    "write by setting": "SELECT set_config('transaction_read_only', 'off', true)",
    "copy to program": "COPY (SELECT 1) TO PROGRAM 'id'",
    "copy from file": "COPY marts.fct FROM '/etc/passwd'",
    "do": "DO $$ BEGIN PERFORM 1; END $$",
    "ledger": "SELECT * FROM ledger.drops",
    "quarantine": "SELECT raw FROM quarantine.rows",
    "registry": "SELECT * FROM registry.model_versions",
    "access": "SELECT * FROM access.keys",
    "documents": "SELECT * FROM documents.documents",
    "passwords": "SELECT rolpassword FROM pg_authid",
    "statistics of values": "SELECT * FROM pg_statistic",
    "statements of others": "SELECT query FROM pg_stat_activity",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "list a folder": "SELECT pg_ls_dir('/')",
    "large object from a file": "SELECT lo_import('/etc/passwd')",
    "make a large object": "SELECT lo_create(0)",
    "read a large object": "SELECT loread(1, 10)",
    "advisory lock": "SELECT pg_advisory_lock(1)",
    "advisory lock, tried": "SELECT pg_try_advisory_lock(1)",
    "advisory lock of a transaction": "SELECT pg_advisory_xact_lock(1, 2)",
    "notify": "SELECT pg_notify('catalogue_changes', '')",
    "notify, as a statement": "NOTIFY catalogue_changes",
    "listen": "LISTEN catalogue_changes",
    "kill": "SELECT pg_terminate_backend(1)",
    "cancel": "SELECT pg_cancel_backend(1)",
    "query by xml": "SELECT query_to_xml('SELECT 1', true, true, '')",
    "table by xml": "SELECT table_to_xml('marts.fct', true, true, '')",
    "sleep": "SELECT pg_sleep(60)",
    "sleep, quoted": 'SELECT "pg_sleep"(60)',
    "sleep, qualified": "SELECT pg_catalog.pg_sleep(60)",
    "sleep, commented": "SELECT pg_sleep/**/(60)",
    "sleep, escaped": 'SELECT U&"\\0070g_sleep"(60)',
    "explain": "EXPLAIN ANALYZE SELECT 1",
    "reload": "SELECT pg_reload_conf()",
    "call": "CALL x()",
    "prepare": "PREPARE x AS SELECT 1",
    "vacuum": "VACUUM",
    "other database": "SELECT dblink('dbname=postgres', 'SELECT 1')",
}
#: The role reads these too, since all who read a table may; they are of no use to it.
PERSONAL_ATTACKS = {
    "a column": "SELECT hhid FROM marts.fct",
    "a star": "SELECT * FROM marts.fct",
    "a whole row": "SELECT f FROM marts.fct AS f",
    "a row as JSON": "SELECT row_to_json(f) FROM marts.fct AS f",
    "a condition": "SELECT level FROM marts.fct WHERE hhid LIKE 'C%'",
    "an order": "SELECT level FROM marts.fct ORDER BY hhid",
    "an aggregate": "SELECT string_agg(hhid, ',') FROM marts.fct",
    "a view": "SELECT hhid FROM marts.v",
    "a cast that fails": "SELECT hhid::int FROM marts.fct",
    "a join": "SELECT a.level FROM marts.fct a JOIN marts.fct b USING (hhid)",
    "a natural join": "SELECT 1 FROM marts.fct a NATURAL JOIN marts.v b",
    "what was rescued": "SELECT _rescued FROM raw.visits",
    "a table": "TABLE marts.fct",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_is_refused_by_the_role_alone(owner, role, database_url, attack):
    before = owner.execute("SELECT count(*) FROM marts.fct").fetchone()
    with pytest.raises(Refused):
        run(database_url, role, attack, (), LIMITS)
    assert owner.execute("SELECT count(*) FROM marts.fct").fetchone() == before


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_is_refused_by_the_fence_alone(attack):
    with pytest.raises(Refused):
        check(attack, frozenset(SCHEMAS))


@pytest.mark.parametrize("attack", PERSONAL_ATTACKS.values(), ids=PERSONAL_ATTACKS)
def test_personal_columns_are_kept_by_the_role(owner, role, database_url, attack):
    with pytest.raises(Refused, match="permission denied") as refused:
        run(database_url, role, attack, (), LIMITS)
    assert "CANARY" not in str(refused.value)


def test_in_a_plain_session_of_the_role_nothing_can_be_written_either(owner, role, database_url):
    with psycopg.connect(role.url(database_url), autocommit=True) as session:
        session.execute("SET default_transaction_read_only = off")
        for attack in (
            "INSERT INTO marts.fct VALUES ('x')",
            "CREATE TABLE public.x (a int)",
            "CREATE TEMP TABLE x (a int)",
            "CREATE SCHEMA x",
            "SELECT lo_create(0)",
            "SET ROLE postgres",
            "SET temp_file_limit = -1",
            "SELECT * FROM ledger.drops",
        ):
            with pytest.raises(psycopg.Error):
                session.execute(attack)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT level, sum(hours) FROM marts.fct GROUP BY level ORDER BY 1;",
        "WITH x AS (SELECT level, hours FROM fct) SELECT level, avg(hours) OVER () FROM x -- a comment",
        "SELECT level FROM marts.fct UNION ALL SELECT level FROM marts.v",
        "VALUES (1, 'a'), (2, 'b')",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY hours) FROM marts.fct",
        "SELECT date_trunc('month', now()), 'pg_sleep(1)', $$lo_import$$, count(*) FILTER (WHERE hours > 1) FROM fct",
        "SELECT (SELECT max(hours) FROM marts.fct) AS a, 1 AS a",
    ],
)
def test_a_query_is_answered(owner, role, database_url, statement):
    check(statement, frozenset(SCHEMAS))
    assert rows(database_url, role, statement)


def test_parameters_are_values(owner, role, database_url):
    assert rows(database_url, role, "SELECT level FROM fct WHERE level = $1 AND hours < $2", ["low", 5]) == ['["low"]']
    assert rows(database_url, role, "SELECT level FROM fct WHERE level = $1", ["x' OR true --"]) == []


def test_the_other_role_reads_personal_columns(owner, database_url):
    assert "CANARY" in "".join(rows(database_url, role_of(owner, True), "SELECT * FROM marts.fct"))


def test_a_table_made_anew_is_read_again_and_a_column_declared_personal_later_is_not(owner, role, database_url):
    owner.execute("DROP TABLE marts.fct CASCADE; CREATE TABLE marts.fct (hhid text, level text, phone text)")
    prepare(owner, role, PERSONAL)
    assert rows(database_url, role, "SELECT level, phone FROM marts.fct") == []
    prepare(owner, role, {"hhid", "phone"})
    with pytest.raises(Refused, match="permission denied"):
        run(database_url, role, "SELECT phone FROM marts.fct", (), LIMITS)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM generate_series(1, 100000000000) AS n",
        "SELECT n FROM generate_series(1, 100000000000) AS n WHERE n < 0",
        "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 1 FROM x) SELECT count(*) FROM x",
    ],
)
def test_a_query_ends_at_its_limit(owner, role, database_url, statement):
    began = time.monotonic()
    with pytest.raises(Refused, match="ended after 1 s"):
        run(database_url, role, statement, (), Limits(seconds=1))
    assert time.monotonic() - began < 4
    while owner.execute("SELECT FROM pg_stat_activity WHERE usename = %s", [role.name]).rowcount:
        assert time.monotonic() - began < 6


def test_more_rows_than_the_limit_are_cut_off(owner, role, database_url):
    statement = "SELECT n FROM generate_series(1, 5000) AS n"
    answer = run(database_url, role, statement, (), Limits(rows=100))
    assert (len(answer.rows), answer.is_truncated) == (100, True)
    assert not run(database_url, role, "SELECT 1", (), LIMITS).is_truncated


def test_more_bytes_than_the_limit_are_cut_off_and_a_giant_row_is_refused(owner, role, database_url):
    answer = run(database_url, role, "SELECT repeat('x', 100000) FROM generate_series(1, 500)", (), LIMITS)
    assert answer.is_truncated
    assert sum(map(len, answer.rows)) <= LIMITS.bytes
    with pytest.raises(Refused, match="a row has more than"):
        run(database_url, role, "SELECT repeat('x', 50000000)", (), LIMITS)


def test_a_mistake_is_answered_with_the_words_of_postgres_and_the_place(owner, role, database_url):
    with pytest.raises(Refused, match='column "nothing" does not exist, at character 8'):
        run(database_url, role, "SELECT nothing FROM marts.fct", (), LIMITS)


def test_an_owner_who_is_no_superuser_makes_the_role(postgres, owner, database_url):
    """As on a managed Postgres: functions are kept out by the fence alone then, all else by the role as well."""
    name = owner.info.dbname
    owner.execute("DROP ROLE IF EXISTS plain_owner; CREATE ROLE plain_owner LOGIN CREATEROLE PASSWORD 'x'")
    owner.execute(f"ALTER DATABASE {name} OWNER TO plain_owner")
    owner.execute("ALTER SCHEMA marts OWNER TO plain_owner; ALTER TABLE marts.fct OWNER TO plain_owner")
    owner.execute("ALTER VIEW marts.v OWNER TO plain_owner")
    for schema in ("raw", "windows", "changes", "features", "predictions", "online", "figures"):
        owner.execute(f"ALTER SCHEMA {schema} OWNER TO plain_owner")
    for table in ("raw.visits", "figures.days", "figures.drops", "figures.predictions", "figures.answers"):
        owner.execute(f"ALTER TABLE {table} OWNER TO plain_owner")
    for role_name in (f"{name}_query", f"{name}_query_personal"):
        owner.execute(f"DROP OWNED BY {role_name}; DROP ROLE {role_name}" if exists(owner, role_name) else "SELECT 1")
    try:
        with psycopg.connect(database_url, user="plain_owner", password="x", autocommit=True) as plain:
            role = role_of(plain)
            assert rows(database_url, role, "SELECT level FROM marts.fct ORDER BY 1") == ['["high"]', '["low"]']
            with pytest.raises(Refused, match="permission denied"):
                run(database_url, role, "SELECT hhid FROM marts.fct", (), LIMITS)
            with psycopg.connect(role.url(database_url)) as session, pytest.raises(psycopg.Error):
                session.execute("CREATE TEMP TABLE x (a int)")
    finally:
        owner.execute(f"ALTER DATABASE {name} OWNER TO {owner.info.user}")
        owner.execute(f"DROP OWNED BY {name}_query; DROP ROLE {name}_query")
        owner.execute(f"REASSIGN OWNED BY plain_owner TO {owner.info.user}; DROP OWNED BY plain_owner")
        owner.execute("DROP ROLE plain_owner")


def exists(connection, name):
    return connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).rowcount == 1


def test_an_owner_who_may_not_make_roles_is_answered_how_it_is_done(owner, database_url):
    from lastmile.errors import Unreachable

    owner.execute("DROP ROLE IF EXISTS weak_owner; CREATE ROLE weak_owner LOGIN PASSWORD 'x'")
    try:
        weak = psycopg.connect(database_url, user="weak_owner", password="x", autocommit=True)
        with weak, pytest.raises(Unreachable, match="ALTER ROLE weak_owner CREATEROLE"):
            role_of(weak)
    finally:
        owner.execute("DROP OWNED BY weak_owner; DROP ROLE weak_owner")


def test_other_roles_keep_what_is_withdrawn_from_everybody(owner, database_url):
    owner.execute("DROP ROLE IF EXISTS other_app; CREATE ROLE other_app LOGIN PASSWORD 'x'")
    owner.execute(f"GRANT CONNECT ON DATABASE {owner.info.dbname} TO other_app")
    owner.execute("GRANT TEMPORARY ON DATABASE tests TO PUBLIC; GRANT EXECUTE ON FUNCTION pg_notify TO PUBLIC")
    try:
        role_of(owner)
        with psycopg.connect(database_url, user="other_app", password="x") as app:
            app.execute("CREATE TEMP TABLE x (a int)")
            assert app.execute("SELECT pg_notify('x', '')").rowcount == 1
    finally:
        owner.execute("DROP OWNED BY other_app; DROP ROLE other_app")


def test_a_role_made_later_gets_it_with_the_next_query_and_nothing_it_never_had(owner, database_url):
    role_of(owner)
    owner.execute("CREATE ROLE late_app LOGIN PASSWORD 'x'")
    owner.execute(f"GRANT CONNECT ON DATABASE {owner.info.dbname} TO late_app")
    try:
        role_of(owner)
        with psycopg.connect(database_url, user="late_app", password="x", autocommit=True) as app:
            app.execute("SELECT pg_notify('x', ''), set_config('work_mem', '4MB', false)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("SELECT lo_import('/etc/passwd')")
    finally:
        owner.execute("DROP OWNED BY late_app; DROP ROLE late_app")
