"""Errors for people: which file or argument, what was found, what was expected, what to do."""


class InputError(ValueError):
    """Input that cannot be used. Raised before long work starts and before any file is written."""
