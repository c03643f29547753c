"""Reading tables and queries of databases, in batches, at one moment each, into files of Parquet."""
