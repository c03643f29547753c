"""The code location: everything declared in this package, and what carries it."""

from lastmile.orchestration.definitions import definitions

defs = definitions("assets")
