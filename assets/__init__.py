"""What is made, in the order of the data's way: contracts, drops, warehouse, features, models, predictions, reports."""

import warnings

# `backfill_policy` is marked beta; every partitioned asset here sets it, and every process would say so for each. Told
# by its words, since contracts are in this package too, and whoever wants only those need not import Dagster.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy` .* is currently in beta")
