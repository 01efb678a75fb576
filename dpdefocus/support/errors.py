"""Errors for people: which file or argument, what was found, what was expected, what to do."""


class InputError(ValueError):
    """What the user gave cannot be used. Raised before long work starts and before files are touched."""
