"""Follows the shop of tests/followed.py until it is killed: `following_process.py DATABASE_URL`."""

import sys
import threading

from followed import contract, source

from lastmile.sources.changes import __main__ as process

if __name__ == "__main__":
    process.LONGEST_WAIT = 2.0
    process.keep_following(sys.argv[1], lambda: (source(), contract()), threading.Event())
