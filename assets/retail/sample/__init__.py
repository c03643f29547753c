"""Days of an online shop, made up, in the shape of the UCI set "Online Retail"; clean or with known faults."""

from assets.retail.sample.shop import generate_shop

__all__ = ["generate_shop"]
