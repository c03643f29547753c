"""The replication slot by which the server keeps the log until the archiver has it, up to `max_slot_wal_keep_size`."""

from psycopg import Connection

SLOT = "lastmile_archive"


def ensure_slot(connection: Connection) -> bool:
    """Make the slot where there is none; whether the one there was had been given up by the server, with its log."""
    found = connection.execute("SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", [SLOT]).fetchone()
    lost = found is not None and found[0] == "lost"
    if lost:
        connection.execute("SELECT pg_drop_replication_slot(%s)", [SLOT])
    if found is None or lost:
        connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", [SLOT])
    return lost


def received(connection: Connection) -> str:
    """The place up to which the archiver has the log."""
    ((place,),) = connection.execute(
        "SELECT coalesce((SELECT write_lsn FROM pg_stat_replication WHERE application_name = %s LIMIT 1),"
        " (SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = %s), '0/0')::text",
        [SLOT, SLOT],
    ).fetchall()
    return str(place)
