"""Dagster: factories from declarations to assets, checks, sensors and conditions; running what they request."""

import warnings

# Backfill policies and code references are marked beta; every asset has them, and every process would say so for each.
warnings.filterwarnings("ignore", message="(Parameter|Class) `.*` .*is currently in beta")
