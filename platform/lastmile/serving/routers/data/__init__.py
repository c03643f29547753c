"""What there is: rows, statistics, SQL, aggregations, metrics, documents."""
