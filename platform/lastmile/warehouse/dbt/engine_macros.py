"""The macros of the engine, which every dbt project has: the window strategy, point-in-time joins, generic tests, and
what Postgres writes in its own way.

dbt finds incremental strategies and schema names in a project's own macros only, not in a package's. So they are part
of each project, as its folder `lastmile`, which its `macro-paths` name: a copy in what is prepared to run, a link where
people work.
"""

from pathlib import Path

from lastmile.errors import UserError

MACROS = Path(__file__).with_name("macros")
#: Where they are in a project.
INCLUDED = Path("lastmile")


def link_macros(project: Path) -> None:
    """Let a bare `dbt` in the project find them; a folder that is no link of ours is left as it is.

    Raises UserError where the link cannot be made.
    """
    link = project / INCLUDED
    if link.is_symlink() and link.resolve() != MACROS.resolve():
        link.unlink()
    elif link.exists():
        return
    try:
        link.symlink_to(MACROS, target_is_directory=True)
    except FileExistsError:  # another process was quicker
        return
    except OSError as error:
        raise UserError(f"cannot make {link}: {error.strerror}; it must be a link to {MACROS}") from None
