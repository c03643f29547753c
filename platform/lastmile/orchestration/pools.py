"""Which runs may be at work at once: those that share a pool of Dagster's take turns, as each pool has one slot.

Two builds of a table for the first time would both create it, and features made from a mart of before could replace
newer ones. Training changes neither, and takes minutes where there is much to learn from, so no drop waits for it.
"""

#: Of whatever is made from the rows that ingestion loaded, models apart.
WAREHOUSE = "warehouse"
TRAINING = "training"
