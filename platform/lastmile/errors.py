"""The one error a person can mend: its message says what was expected, what was found, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

#: Packages that a default installation does without, and the extra that installs each.
EXTRAS = {
    "lightgbm": "lightgbm",
    "mlflow": "mlflow",
    "optuna": "search",
    "redis": "redis",
    "xgboost": "xgboost",
}


class UserError(Exception):
    """Printed as one line by the command line, without a traceback; the exit code is 1."""


class Malformed(UserError):
    """What was sent is not of the form that is expected there; the same again would be refused again."""


class Unreachable(UserError):
    """What the platform stands on does not answer, or denies it: trying again later may help."""


@contextmanager
def naming_the_extra(who: str) -> Iterator[None]:
    """Where an import fails for want of an optional package, raise UserError that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise UserError(f"{who} needs the package {package}: install lastmile[{EXTRAS[package]}]") from error
