"""Where exports go."""

from dataclasses import dataclass

from lastmile.errors import UserError
from lastmile.settings.group import variable

_SCHEMES = ("s3", "gs", "az", "file", "postgresql", "postgres")


def _expected(targets: tuple[str, ...]) -> str | None:
    for one in targets:
        name, is_pair, url = one.partition("=")
        if not (is_pair and name.isidentifier() and url.partition("://")[0] in _SCHEMES):
            return f"expected name=url, separated by commas, each url one of {', '.join(_SCHEMES)}"
    return None


@dataclass(frozen=True)
class ExportSettings:
    targets: tuple[str, ...] = variable(
        "LASTMILE_EXPORT_TARGETS",
        "Where exports go, by the names that they use: name=url, separated by commas.",
        (),
        secret=True,
        example="lake=s3://bucket/exports,ministry=postgresql://user:password@host/database",
        check=_expected,
    )

    def url(self, target: str) -> str:
        """Raises UserError where there is no target of that name, with those there are."""
        found = dict(one.split("=", 1) for one in self.targets)
        if target not in found:
            raise UserError(
                f"there is no export target {target!r}: LASTMILE_EXPORT_TARGETS names"
                f" {', '.join(sorted(found)) or 'none'}; add {target}=<url> to it"
            )
        return found[target]
