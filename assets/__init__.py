"""What is made, in the order of the data's way: contracts, drops, warehouse, features, models, predictions, reports."""

import warnings

import dagster as dg

# `backfill_policy` is marked beta; every partitioned asset here sets it, and every process would say so for each.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
