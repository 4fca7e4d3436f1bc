"""Finds a dialect by its name in params.yaml. A dialect is a module with `render`, `parse` and `Scanner`."""

from types import ModuleType

from stages.toolcall import hermes, pythonic


def get(name: str) -> ModuleType:
    """The module of "pythonic" or "hermes"; KeyError for any other name, which params.yaml cannot hold."""
    return {"pythonic": pythonic, "hermes": hermes}[name]
