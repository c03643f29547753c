"""What a source declares: a small dataclass for each kind, with what all kinds have in common in `source.py`."""
