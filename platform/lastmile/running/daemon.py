"""Dagster's daemon, looking at backfills every few seconds: `python -m lastmile.running.daemon run ...`.

Out of the box it looks every 30 seconds, once to start a backfill and once to see that it ended. What automation asks
for several partitions is a backfill, and three follow each other from drop to prediction: that is a minute and a half
of waiting. No setting changes it. Should a later version rename the constant, only this saving is lost.
"""

from dagster._daemon import controller
from dagster._daemon.cli import main

BACKFILL_SECONDS = 3

if __name__ == "__main__":
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = BACKFILL_SECONDS
    main()
