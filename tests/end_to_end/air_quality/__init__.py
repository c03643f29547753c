"""Air of a city, hour by hour and a file a month: a domain unlike those of the project."""
