"""Panics of libraries written in Rust: faults like any other, although Python is told of them as of an order to stop.

Their class derives from BaseException, so `except Exception` lets them pass: a worker would die of a cell and leave its
drops claimed. What does order a stop (an interrupt, an exit, a cancelled run) passes as before.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class Panicked(Exception):
    """A library gave up in the middle of a drop. The message is the library's own."""


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Raises Panicked where a panic comes out of it."""
    try:
        yield
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":  # each library has a class of its own there, under one name
            raise
        raise Panicked(str(error)) from error
