"""Positions in the log of a Postgres: numbers here, `16/B374D848` where people and Postgres write them."""


def number(text: str) -> int:
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def text(position: int) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
