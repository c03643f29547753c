"""The interval around a predicted number, as `conformal` found how wide it must be."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: On a logarithmic scale, what is not above zero counts as this.
SMALLEST = 1e-9


def bounds(interval: Mapping[str, Any], found: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lower and upper ends of the interval around each predicted number; `interval` is of `conformal`."""
    width = interval["half_width"]
    if interval["log"]:
        return np.maximum(found, SMALLEST) * np.exp(-width), np.maximum(found, SMALLEST) * np.exp(width)
    return found - width, found + width
