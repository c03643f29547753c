"""What tokens and API keys of this installation hang on."""

from dataclasses import dataclass

from lastmile.settings.group import variable

#: Of a secret given by a person: what is shorter can be guessed.
_SHORTEST = 32


def hard_to_guess(secret: str) -> str | None:
    """A check of a variable: what is expected of a secret that is too short."""
    if len(secret) >= _SHORTEST:
        return None
    return (
        f"it has {len(secret)} characters, expected at least {_SHORTEST}; make one with"
        " `python -c 'import secrets; print(secrets.token_hex(32))'`"
    )


@dataclass(frozen=True)
class AccessSettings:
    """Users and keys."""

    secret: str | None = variable(
        "LASTMILE_SECRET",
        "What tokens and API keys are signed with, in every process; the file `secret` of the home if not set.",
        None,
        secret=True,
        check=hard_to_guess,
    )
