"""Two versions of a model, and experiments that compare them."""

from dataclasses import replace

import pytest
from experimenting import CAUSE, PLAN, two_versions

from lastmile.learning.experiments.experiment import start


@pytest.fixture
def versions(connection, store):
    return two_versions(connection, store)


@pytest.fixture
def shadow(connection, versions):
    return start(connection, PLAN, CAUSE)


@pytest.fixture
def halves(connection, versions):
    """Half of the units are treated."""
    return start(connection, replace(PLAN, name="halves", mode="split"), CAUSE, share=0.5)
