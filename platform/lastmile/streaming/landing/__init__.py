"""Events on their way to drops of their dataset: gathered into segments, written as Parquet, each range once."""
