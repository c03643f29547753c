"""The fork server's process: `python -m lastmile.orchestration.forks <module that imports the libraries>`.

What is forked leaves the loop of the server with a request, and becomes the process requested: the interpreter then
ends as any other does, its threads awaited and its exit handlers called.
"""

import runpy
import sys

from lastmile.orchestration.forks.server import serve

if __name__ == "__main__" and (request := serve(sys.argv[1])):
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
