"""What reasons are made of, whoever computes them: how many inputs they may name, which ones, and how numbers look."""

from collections.abc import Mapping, Sequence

#: Inputs in a row's reasons; inputs that may be among them, the most important in evaluation.
SHOWN, INPUTS = 3, 12


def explaining(inputs: Sequence[str], importance: Mapping[str, float]) -> list[str]:
    """Of the inputs of a model, those that may be among a row's reasons."""
    return sorted(inputs, key=lambda name: -importance.get(name, 0))[:INPUTS]


def rounded(number: float) -> float:
    """To four digits; what is next to nothing is 0."""
    return float(f"{number:.4g}") if abs(number) >= 5e-4 else 0.0
