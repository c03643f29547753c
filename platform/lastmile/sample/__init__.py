"""Makes drops in the exact shape of RHoMIS surveys, from 100 to 10 million households, clean or with known faults; and
days of an online shop.

Deterministic by seed and in constant memory. What taking the drops must give, row by row and drop by drop, is stated in
a `Truth`, which is kept outside the landing area. Knows the shape of the files, not the contracts that judge them.
"""

from lastmile.sample.dirt import Dirt
from lastmile.sample.generating import generate
from lastmile.sample.shop import generate_shop
from lastmile.sample.truth import Drop, Truth

__all__ = ["Dirt", "Drop", "Truth", "generate", "generate_shop"]
