"""The one error a person can mend: its message says what was expected, what was found, and what to do."""


class UserError(Exception):
    """Printed as one line by the command line, without a traceback; the exit code is 1."""
