"""Python functions with type hints and Google docstrings: one tool a function [O].

Transformers' `get_json_schema` reads them, so a function means here what it means to a chat template.
"""

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import CodeType, ModuleType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from itool.errors import UserError, one_line
from itool.files import read_text
from itool.toolcall.resolve import mapped

MODULE = "user_tools"  # the name under which a user's file is imported
TYPES = (str, int, float, bool, list, tuple, dict, Any, NoneType, ...)
GENERIC = (list, tuple, dict, Union, UnionType)
DOCUMENTED = "expected type hints, and a Google docstring that describes each parameter under Args:"
OF_JSON = "expected str, int, float, bool, None, Any, Literal, and list, tuple, dict or | of these"


def tool_specs(path: Path) -> list[dict[str, Any]]:
    """Every public function that a user's Python file defines, as `{"name", "description", "parameters"}`.

    The file is imported, and so it is run: it is the user's own code, which params.yaml names. Raises UserError naming
    file and function, also for whatever the file raises itself.
    """
    specs = [_spec(name, function, f"{path}: {name}") for name, function in _functions(_imported(path))]
    if not specs:
        raise UserError(f"{path}: found no public function, expected at least one")
    return specs


class _Anew(SourceFileLoader):
    """Imports a file as it is now: it reads no compiled file, and writes none beside it."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(read_text(self.path), self.path)


def _imported(path: Path) -> ModuleType:
    """The file as a module."""
    loader = _Anew(MODULE, str(path))
    module = module_from_spec(ModuleSpec(MODULE, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[MODULE] = module  # data classes look their module up there
    try:
        loader.exec_module(module)
    except UserError:
        raise
    except SystemExit:
        raise UserError(f"{path}: found an exit while it was imported, expected functions") from None
    except Exception as error:
        found = f"{type(error).__name__}: {one_line(error)}"
        raise UserError(f"{path}: found {found}, expected a file that can be imported") from None
    return module


def _functions(module: ModuleType) -> list[tuple[str, Callable[..., Any]]]:
    """The public functions of the module's own, also decorated ones, by the first of their names."""
    found: dict[int, tuple[str, Callable[..., Any]]] = {}
    for name, value in vars(module).items():
        is_function = inspect.isroutine(value) or hasattr(value, "__wrapped__")
        if is_function and not name.startswith("_") and getattr(value, "__module__", None) == MODULE:
            found.setdefault(id(value), (name, value))
    return list(found.values())


def _spec(name: str, function: Callable[..., Any], where: str) -> dict[str, Any]:
    # The import takes a second or two, and few runs read Python. The stubs do not say that the name is public.
    from transformers.utils import get_json_schema  # type: ignore[attr-defined]

    try:
        function.__annotations__.pop("return", None)  # it is no part of a tool, and may be anything
        _check_parameters(function, where)
        spec = get_json_schema(function)["function"]
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{where}: {one_line(error)}; {DOCUMENTED}") from None
    parameters = mapped(spec["parameters"], _with_null)
    for parameter, default in _defaults(function).items():
        parameters["properties"][parameter]["default"] = default
    return {"name": name, "description": spec["description"], "parameters": parameters}


def _check_parameters(function: Callable[..., Any], where: str) -> None:
    """Raises UserError where `get_json_schema` would make an object of a type that it does not know, or one parameter
    of `*args`.
    """
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise UserError(f"{where}: found {str(parameter).partition(':')[0]}, expected parameters with names")
    for name, hint in get_type_hints(function).items():
        for unknown in _unknown(hint):
            raise UserError(f"{where}: {name}: found {inspect.formatannotation(unknown)}, {OF_JSON}")


def _unknown(hint: Any) -> Iterator[Any]:
    """The types in a hint that JSON does not have."""
    origin = get_origin(hint)
    if origin in GENERIC:
        for inner in get_args(hint):
            yield from _unknown(inner)
    elif origin is not Literal and hint not in TYPES:
        yield hint


def _with_null(schema: Any, where: str, keyword: str) -> Any:
    """A schema in which null is a type, or one of several, where `get_json_schema` says `nullable`."""
    if not isinstance(schema, dict) or "nullable" not in schema:
        return schema
    schema = {key: value for key, value in schema.items() if key != "nullable"}
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    kind = schema.get("type", [])
    kinds = {"type": [*(kind if isinstance(kind, list) else [kind]), "null"]} if kind else {}
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema | kinds | values


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """The defaults that are text, numbers, true or false."""
    found = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    scalars = {name: default for name, default in found.items() if type(default) in (str, int, float, bool)}
    return {name: value for name, value in scalars.items() if not isinstance(value, float) or math.isfinite(value)}
