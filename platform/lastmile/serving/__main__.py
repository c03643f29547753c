"""The API as a process of `lastmile up`: `python -m lastmile.serving <port>`."""

import sys

from lastmile.serving.server import serve
from lastmile.serving.state import Serving

if __name__ == "__main__":
    serve(Serving.from_environment(), int(sys.argv[1]))
