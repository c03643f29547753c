"""The address of a database: which program speaks to it, and what of it may be shown. It holds a password."""

from urllib.parse import urlsplit

from lastmile.errors import Unreachable, UserError

#: Drivers by the scheme of an address; any other scheme is the name of an ADBC driver.
_DRIVERS = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"}


def driver_of(url: str) -> str:
    """Raises UserError where the address names none."""
    scheme, colon, _ = url.partition(":")
    if not colon or not scheme.replace("+", "").replace("-", "").isalnum():
        raise UserError(
            "the address of a source's database has no scheme: expected one such as"
            " postgresql://user:password@host:5432/database or mysql://user:password@host:3306/database"
        )
    return _DRIVERS.get(scheme, scheme)


def place(url: str) -> str:
    """Where it is, without user and password."""
    parts = urlsplit(url)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # a character of the password that is not written as %40 and the like
        return f"an address of {parts.scheme}"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def unreachable(url: str, error: Exception) -> Unreachable:
    """That nothing answers there, or denies access, in its own words without those of the address."""
    words = " ".join(str(error).split())
    return Unreachable(f"cannot connect to the source's database at {place(url)}: {without_secrets(url, words)}")


def without_secrets(url: str, words: str) -> str:
    parts = urlsplit(url)
    for secret in filter(None, (url, parts.password)):
        words = words.replace(secret, "***")
    return words
