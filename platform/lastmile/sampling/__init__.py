"""What generators of realistic drops share: formats, faults placed on purpose, the counts a sample must give."""

from lastmile.sampling.dirt import Dirt
from lastmile.sampling.truth import Drop, Truth

__all__ = ["Dirt", "Drop", "Truth"]
