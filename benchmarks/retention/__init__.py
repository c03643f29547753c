"""How large a year of history makes the database, with retention and without."""
