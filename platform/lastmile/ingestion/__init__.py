"""From an object in the landing area to its rows in the warehouse: discovery, readers, validation, load."""
