"""Where the text of a variable comes from: the environment, a mounted file, or AWS Secrets Manager.

`X` itself counts before the file that `X_FILE` names. A value that begins with `aws-secretsmanager://` is a reference
to a secret. White space around a text, such as the line break at the end of a file, is no part of it.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lastmile.errors import UserError
from lastmile.settings.secrets_manager import SCHEME, secret

FILE = "_FILE"
#: A longer file is no setting.
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Given:
    """The text of a variable, where it is from, and whether it must be `hidden` for that."""

    text: str
    source: str
    hidden: bool = False


def given(name: str, environ: Mapping[str, str]) -> Given | None:
    """None where the variable is not set, or empty. Raises UserError where what it refers to cannot be read."""
    if text := environ.get(name, "").strip():
        if text.startswith(SCHEME):
            return Given(secret(name, text), text, hidden=True)
        return Given(text, "environment")
    if file := environ.get(name + FILE, "").strip():
        return Given(_read(name + FILE, file), f"file {file}")
    return None


def is_set(name: str, environ: Mapping[str, str]) -> bool:
    """Whether it is anything else than its default."""
    return bool(environ.get(name, "").strip() or environ.get(name + FILE, "").strip())


def resolved(name: str, text: str) -> str:
    """The text of a variable that another library has read: what it refers to, where it does."""
    return secret(name, text) if text.startswith(SCHEME) else text


def without_password(text: str) -> str:
    """The text to be shown: an address in it without its password."""
    return re.sub(r"(?<=://)([^\s/@:]*):[^\s/]*@", r"\1:***@", text)


def _read(name: str, file: str) -> str:
    try:
        with Path(file).expanduser().open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            body = opened.read(_MOST_BYTES + 1)
        text = body.decode().strip()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{name} names {file}, which cannot be read: {reason}; correct the path") from None
    if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
        raise UserError(f"{name} names {file}, which everyone may write to: run `chmod o-w {file}`")
    if not text or len(body) > _MOST_BYTES:
        found = "is longer than any setting" if text else "is empty"
        raise UserError(f"{name} names {file}, which {found}: expected the value alone")
    return text
