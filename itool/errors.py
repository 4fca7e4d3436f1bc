"""Errors that a user can cause and mend."""


class UserError(Exception):
    """Bad input, told in one line: the file, the line or field, what was found and what was expected."""


def one_line(error: Exception) -> str:
    """The first line of an error's text, or its name."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
