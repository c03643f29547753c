"""Where validated rows go: a Parquet file and the table of the dataset. None of it commits anything."""
