"""The schema for tables of large drops, each inheriting from its dataset's: see `warehouse/drop_tables.py`."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS large_drops")


def downgrade() -> None:
    """The rows move back into the tables of their datasets."""
    op.execute(
        """
        DO $$
        DECLARE child regclass; parent regclass;
        BEGIN
            FOR child, parent IN
                SELECT inhrelid, inhparent FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
                WHERE relnamespace = to_regnamespace('large_drops')
            LOOP
                EXECUTE format('ALTER TABLE %s NO INHERIT %s', child, parent);
                EXECUTE format('INSERT INTO %s SELECT * FROM %s', parent, child);
            END LOOP;
        END $$
        """
    )
    op.execute("DROP SCHEMA large_drops CASCADE")
