"""Running the whole platform on one machine: its processes, what they are at, and when everything is done."""
