"""Arrays of Postgres, `{1,NULL,"a b"}`, as JSON, which contracts read."""

import json
import re
from typing import Any

#: A quoted element, a bare one, or a sign.
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([^{},"]+)|([{},])', re.DOTALL)
#: Postgres quotes an element with one of these in it, not one with another space of Unicode.
_SPACES = " \t\n\r\v\f"
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def as_json(text: str, category: str) -> str:
    """Elements of category `N` are numbers with the digits they have, of `B` true or false, others texts. What is no
    array stays as it is."""
    start = text.find("{")
    if start < 0:
        return text
    stack: list[list[Any]] = [[]]
    for quoted, bare, sign in (found.groups() for found in _TOKEN.finditer(text, start)):
        if sign == "{":
            stack.append([])
        elif sign == "}":
            inner = stack.pop()
            stack[-1].append("[" + ",".join(inner) + "]")
        elif quoted is not None:
            stack[-1].append(json.dumps(_ESCAPED.sub(r"\1", quoted), ensure_ascii=False))
        elif bare is not None and bare.strip(_SPACES):
            stack[-1].append(_bare(bare, category))
    return str(stack[0][0])


def _bare(element: str, category: str) -> str:
    if element == "NULL":
        return "null"
    if category == "N" and element not in ("NaN", "Infinity", "-Infinity"):
        return element
    if category == "B":
        return "true" if element == "t" else "false"
    return json.dumps(element, ensure_ascii=False)
