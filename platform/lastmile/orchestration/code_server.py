"""The code server as a process of `lastmile up`: `python -m lastmile.orchestration.code_server <port> <options>`.

The options are those of `dagster api grpc` that say which code. It answers once it has tried to load that.
"""

import signal
import sys

from lastmile.orchestration.dagster_compat.code_proxy import serve
from lastmile.settings.start import check_at_start

if __name__ == "__main__":
    check_at_start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve("127.0.0.1", int(sys.argv[1]), sys.argv[2:])
