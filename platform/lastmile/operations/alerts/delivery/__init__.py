"""Messages on their way: kept in Postgres until their channel has them."""
