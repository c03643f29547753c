"""One index of a dataset's table serves drops and partitions: each takes a quarter of a second a million rows."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Tables get the new index when `ensure_table` next runs."""
    op.execute(
        """
        DO $$
        DECLARE old regclass;
        BEGIN
            FOR old IN
                SELECT indexrelid::regclass FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
                JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
                WHERE relnamespace = to_regnamespace('raw') AND indnatts = 1
                  AND attname IN ('_drop_id', '_partition_start')
            LOOP
                EXECUTE format('DROP INDEX %s', old);
            END LOOP;
        END $$
        """
    )


def downgrade() -> None:
    """Tables get the old indexes when an old version next runs `ensure_table`."""
