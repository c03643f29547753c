"""Every name of Dagster's that is not public, and nothing else: the only place that has to follow a release.

Each module is for one purpose and imported only where that is served, since some of these imports take a second.
tests/orchestration/test_dagster_compat.py uses every one of them, and finds any other importer of private names.
"""
