"""dbt's profile: the database it works on, and the schemas it writes.

`prod` writes the schemas that people and models read. A developer's `dev` and a change's `ci` write into one schema of
their own, so that nothing tried can touch what is in use; both read the rows that were really loaded.

libpq's variables name the database. Where they are not set it is the one of the platform that came up last, or that
`lastmile dbt` was used with last: its address and password are kept in `dbt_project/profiles.yml`, which is no part of
the repository and only its owner reads.
"""

import getpass
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lastmile.errors import UserError
from lastmile.project import Project
from lastmile.warehouse.connections import libpq_environment

FILE = "profiles.yml"
HEADER = "# Kept up to date by `lastmile up` and `lastmile dbt`; libpq's variables and DBT_SCHEMA come before it.\n"
#: Longest name of a Postgres schema.
_LONGEST = 63


def profile(target: str, address: Mapping[str, str] = {}, schema: str = "dbt_dev") -> str:
    """The text of a profile whose default is `target`. `address` are libpq's variables and their values where unset;
    `schema` is where `dev` and `ci` write unless DBT_SCHEMA says so."""
    import yaml

    postgres = {
        "type": "postgres",
        "host": _variable("PGHOST", address.get("PGHOST", "127.0.0.1")),
        "port": _variable("PGPORT", address.get("PGPORT", "5432"), "as_number"),
        "user": _variable("PGUSER", address.get("PGUSER", "postgres")),
        "password": _variable("PGPASSWORD", address.get("PGPASSWORD", "")),
        "dbname": _variable("PGDATABASE", address.get("PGDATABASE", "lastmile")),
        "sslmode": _variable("PGSSLMODE", address.get("PGSSLMODE", "prefer")),
        "threads": 2,
    }
    schemas = {"prod": "public", "dev": _variable("DBT_SCHEMA", schema), "ci": _variable("DBT_SCHEMA", schema)}
    outputs = {name: {**postgres, "schema": own} for name, own in schemas.items()}
    profiles = {"lastmile": {"target": target, "outputs": outputs}}
    return HEADER + str(yaml.safe_dump(profiles, sort_keys=False, width=999))


def write_profile(database_url: str) -> Path:
    """Let a bare `dbt` work on this database: the folder of the profile, which is where dbt looks for one.

    Raises UserError where the file cannot be written.
    """
    folder = Path(os.environ.get("DBT_PROFILES_DIR") or Project.current().dbt_project)
    text = profile("dev", libpq_environment(database_url), own_schema())
    file = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text() != text:
            with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{FILE}", delete=False) as written:
                written.write(text)
            Path(written.name).replace(file)
    except OSError as error:
        raise UserError(
            f"cannot write {file}: {error.strerror}; set DBT_PROFILES_DIR to a folder you can write to"
        ) from None
    return folder


def own_schema() -> str:
    """`dbt_` and the name of the user, as Postgres accepts it unquoted."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in some containers
        user = str(os.getuid())
    plain = re.sub(r"[\W_]+", "_", user.lower()).strip("_")
    return f"dbt_{plain}"[:_LONGEST]


def _variable(name: str, default: str, *filters: str) -> str:
    """The expression for a variable of the environment; JSON's way to write a text is also Jinja's."""
    text = json.dumps(default, ensure_ascii=False)
    return "{{ " + " | ".join([f'env_var("{name}", {text})', *filters]) + " }}"
