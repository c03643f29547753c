"""What is made, in the order of the data's way: contracts, drops, warehouse, features, models, predictions, reports."""

import warnings

# `backfill_policy` is marked beta; every partitioned asset sets it, and every process would say so for each. Matched
# by its words, since contracts are in this package too, and importing those need not import Dagster.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy` .* is currently in beta")
