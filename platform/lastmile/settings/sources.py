"""What sources are given: secrets and addresses, each under a name that its declaration says.

Those are no group: which there are depends on the sources of the project, not on the platform.
"""

from dataclasses import dataclass

from lastmile.settings.group import variable

#: Variables that begin so belong to sources, such as LASTMILE_SOURCE_SHOP_TOKEN.
PREFIX = "LASTMILE_SOURCE_"


@dataclass(frozen=True)
class SourceSettings:
    """What holds for sources as such."""

    followed: tuple[str, ...] = variable(
        "LASTMILE_FOLLOWED_SOURCES",
        "Sources of changes with a process of their own, separated by commas; others are caught up on by schedule.",
        (),
        example="stock,orders",
    )
