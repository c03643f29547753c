"""The code location: everything the domains in this package declare, merged with the platform's own."""

from lastmile.orchestration.definitions import definitions
from lastmile.settings import Settings

defs = definitions(Settings.from_environment().assets)
