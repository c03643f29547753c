"""A site for each test, as the tests of the intake have it."""

from intake.conftest import site, worker

__all__ = ["site", "worker"]
