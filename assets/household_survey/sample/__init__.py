"""Made-up drops in the exact shape of RHoMIS surveys, from 100 to 10 million households, clean or with known faults.

Deterministic by seed and in constant memory. What ingesting the drops must give, row by row and drop by drop, is stated
in a `Truth`, which is kept outside the landing area. Knows the shape of the files, not the contracts they are held to.
"""

from assets.household_survey.sample.generating import generate

__all__ = ["generate"]
