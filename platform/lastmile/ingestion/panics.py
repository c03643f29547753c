"""Panics of libraries written in Rust: faults like any other, although Python hears of them as of an order to stop.

Their class derives from BaseException, so `except Exception` lets them pass: a worker would die of a cell and leave its
drops claimed. What does order a stop (an interrupt, an exit, a cancelled run) passes as before.
"""


class Panicked(Exception):
    """A library gave up in the middle of a drop. The message is the library's own."""


def as_error(error: BaseException) -> Exception:
    """The error, Panicked for a panic. Raises what orders a stop, and a panic of a process that panicked before.

    Such a one finds a lock that the first left behind (`PoisonError`): no drop is to blame, and all that follow would
    be; another process goes on.
    """
    if isinstance(error, Exception):
        return error
    if "PoisonError" in str(error):
        raise error
    if type(error).__module__ != "pyo3_runtime":  # each library has a class of its own there, under one name
        raise error
    return Panicked(str(error))
