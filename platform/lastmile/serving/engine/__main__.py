"""The engine's process: reads requests line by line, answers each with a line, ends with its input."""

import importlib
import logging
import os
import sys
from typing import Any

import orjson

from lastmile import telemetry
from lastmile.errors import Unreachable, UserError
from lastmile.project import Project
from lastmile.telemetry.spans import continuing, span

log = logging.getLogger(__name__)


def main() -> None:
    # What libraries print must not stand among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    telemetry.start("engine")
    if project := Project.find():
        project.make_importable()
    for line in sys.stdin.buffer:
        answers.write(orjson.dumps(_answer(orjson.loads(line)), default=str) + b"\n")
        answers.flush()


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    module, _, function = request["function"].partition(":")
    try:
        with continuing(request.get("traceparent")), span("serving.engine", function=request["function"]):
            return {"result": getattr(importlib.import_module(module), function)(**request["arguments"])}
    except Unreachable as error:
        return {"error": str(error), "kind": "unreachable"}
    except UserError as error:
        return {"error": str(error), "kind": "user"}
    except Exception as error:
        log.exception("%s failed", request["function"])
        return {"error": f"{type(error).__name__}: {error}", "kind": "unforeseen"}


if __name__ == "__main__":
    main()
