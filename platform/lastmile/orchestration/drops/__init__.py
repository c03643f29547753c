"""The assets made from contracts: the drops of a partition, their valid rows, their quarantined rows."""
