"""Samples that several tests look at, written once."""

import pytest

from assets.household_survey.sample import generate
from lastmile.sampling import Dirt


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    """Folder and truth of a sample without faults."""
    folder = tmp_path_factory.mktemp("clean")
    return folder, generate(folder, households=3000, seed=3, dirt=Dirt.none())


@pytest.fixture(scope="session")
def dirty(tmp_path_factory):
    """Folder and truth of a sample with many faults of every kind."""
    folder = tmp_path_factory.mktemp("dirty")
    return folder, generate(folder, households=2000, seed=5, dirt=Dirt.heavy())
