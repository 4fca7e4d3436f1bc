"""Names of functions as they may stand in tools and calls here, changed in the same way in both [O]."""

import re
from typing import Any

from itool.errors import UserError
from itool.toolcall.schema import short

ILLEGAL = re.compile(r"[^\w.$@:/+-]")
LONGEST = 64


def legal_name(name: str) -> str:
    """The name without space around it, with `_` for each character that NAME of itool.toolcall.schema does not allow,
    cut to 64.
    """
    return ILLEGAL.sub("_", name.strip())[:LONGEST]


def with_legal_names(specs: list[Any], where: str) -> list[Any]:
    """The specifications of tools under legal names, and otherwise as they are.

    Raises UserError where two names become one, because a call could then mean either.
    """
    names: dict[str, str] = {}
    return [_with_legal_name(spec, names, where) for spec in specs]


def _with_legal_name(spec: Any, names: dict[str, str], where: str) -> Any:
    if not isinstance(spec, dict):
        return spec
    if isinstance(spec.get("function"), dict):
        return spec | {"function": _with_legal_name(spec["function"], names, where)}
    if not isinstance(spec.get("name"), str):
        return spec
    name = spec["name"].strip()
    legal = legal_name(name)
    other = names.setdefault(legal, name)
    if other != name:
        found = f"{where}: found the tools {short(other)} and {short(name)}, which are both {legal} here"
        raise UserError(f"{found}, expected names that stay different")
    return spec | {"name": legal}
