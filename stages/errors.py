"""Errors that a user can cause and mend."""


class UserError(Exception):
    """Bad input, told in one line: the file, the line or field, what was found and what was expected."""
