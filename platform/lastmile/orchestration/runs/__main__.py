"""The daemon's process. Workers are started from it, and outlive it.

multiprocessing would wait for its children before the process may end, and makes each new interpreter import the
program's main module: hence the exit that waits for nothing, and the name of this module, which it skips.
"""

import os
import sys
import traceback

from lastmile import telemetry
from lastmile.orchestration.runs.daemon import run

if __name__ == "__main__":
    code = 1
    try:
        run(sys.argv[1])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        telemetry.end()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
