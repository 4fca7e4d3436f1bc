"""Judges answers against references: whole ones (`check`) and unfinished ones (`first_error`).

Evaluation, the search's reward and the choice of preference pairs all judge through this one module. [O]
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.grammar import Grammar
from itool.toolcall.schema import type_errors, types_of
from itool.toolcall.types import Answer, Call, ErrorKind, Kind, Reference, ReferenceCall, Tool, Unparseable
from itool.toolcall.values import begun_type, could_become, same_value
from itool.toolcall.wording import holds_call, text_could_be_right, text_share

Errors = list[tuple[ErrorKind, str]]

WRONG_OUTCOME = 0.9  # the most that a wrong answer can get
NAME_WEIGHT = 1000.0  # calls of one name are matched first, whatever their arguments


@dataclass(frozen=True)
class Verdict:
    """What the checker finds about a whole answer.

    error and path: of the first wrong fragment, None and "" when the answer is right. errors: all of them, in the order
    of the answer. outcome: O, in 0..1 [X], the share of the reference's fragments that the answer matches, less its
    spurious ones; it is 1 only when the answer is right.
    """

    right: bool
    error: ErrorKind | None
    path: str
    errors: tuple[tuple[ErrorKind, str], ...]
    outcome: float


def check(answer: Answer | Unparseable, reference: Reference, tools: Iterable[Tool], strict: bool) -> Verdict:
    """Judges a whole answer. `strict`: strings must be equal exactly, else as the Berkeley leaderboard has them.

    Where text is asked for, text that holds a call in any form is a call.
    """
    tools = list(tools)
    if isinstance(answer, Unparseable):
        return _verdict([(ErrorKind.UNPARSEABLE, answer.path)], 0.0)
    if reference.kind is Kind.CALLS and not answer.calls:
        return _verdict([(ErrorKind.SHOULD_CALL, "choice")], 0.0)
    if reference.kind is not Kind.CALLS:
        if answer.calls:
            return _verdict([(ErrorKind.SHOULD_NOT_CALL, "choice")], 0.0)
        if holds_call(answer.text, tools):
            return _verdict([(ErrorKind.SHOULD_NOT_CALL, "text")], 0.0)
        share = text_share(answer.text, reference, tools)
        if share == 1.0:
            return _verdict([], 1.0)
        return _verdict([(ErrorKind.WRONG_TEXT, "text")], (1 + share) / 2 if answer.text.strip() else 0.0)
    return _check_calls(answer.calls, reference.calls, {tool.name: tool for tool in tools}, strict)


def first_error(
    prefix: bytes, reference: Reference, tools: Iterable[Tool], strict: bool, dialect: Dialect, ended: bool
) -> ErrorKind | None:
    """What is wrong first in an unfinished answer; None where it can still be completed to an accepted one, its calls
    and arguments in any order.

    The prefix is made of whole fragments, so a number at its end is complete. `ended`: the model ended its turn here.
    """
    scanner = dialect.Scanner(tools)
    scanner.feed(prefix)
    if ended:
        scanner.finish()
    scanner.settle()
    errors = _prefix_errors(scanner, reference, strict)
    return errors[0][0] if errors else None


def _verdict(errors: Errors, outcome: float) -> Verdict:
    if not errors:
        return Verdict(True, None, "", (), 1.0)
    kind, path = errors[0]
    return Verdict(False, kind, path, tuple(errors), min(max(outcome, 0.0), WRONG_OUTCOME))


def _check_calls(
    calls: Sequence[Call], expected: Sequence[ReferenceCall], tools: dict[str, Tool], strict: bool
) -> Verdict:
    def weight(row: int, column: int) -> float:
        if calls[row].name != expected[column].name:
            return 0.0
        matched, spurious = _matched(calls[row], expected[column], tools, strict)
        return NAME_WEIGHT + matched - spurious

    pairs = _assign(len(calls), len(expected), weight)
    errors: Errors = []
    score = 1  # the choice to call
    rows = _rows(len(calls), len(expected), pairs)
    for row, column in enumerate(rows):
        if column is None:
            errors.append((ErrorKind.WRONG_COUNT, f"calls[{max(row - 1, 0)}].next"))
            score -= 1
        elif column < 0:
            errors.append((ErrorKind.WRONG_FUNCTION, f"calls[{row}].name"))
        else:
            errors += _call_errors(calls[row], expected[column], tools, strict, f"calls[{row}]")
            matched, spurious = _matched(calls[row], expected[column], tools, strict)
            score += 1 + matched - spurious
    if len(calls) < len(expected):
        errors.append((ErrorKind.WRONG_COUNT, f"calls[{len(calls) - 1}].next"))
    return _verdict(errors, score / (1 + sum(1 + len(call.arguments) for call in expected)))


def _assign(rows: int, columns: int, weight: Callable[[int, int], float]) -> dict[int, int]:
    """The column of each row in the matching of the greatest total weight; pairs of weight 0 are left out."""
    if rows == columns == 1:
        return {0: 0} if weight(0, 0) > 0 else {}
    from scipy.optimize import linear_sum_assignment  # half a second; most answers hold one call

    weights = np.array([[weight(row, column) for column in range(columns)] for row in range(rows)]).reshape(
        rows, columns
    )
    found = zip(*linear_sum_assignment(weights, maximize=True), strict=True)
    return {int(row): int(column) for row, column in found if weights[row, column] > 0}


def _rows(rows: int, columns: int, pairs: dict[int, int]) -> list[int | None]:
    """The expected call of every call: -1 where it is written instead of an expected one, None where it is surplus."""
    instead = columns - len(pairs)
    matches: list[int | None] = []
    for row in range(rows):
        if row in pairs:
            matches.append(pairs[row])
        else:
            matches.append(-1 if instead > 0 else None)
            instead -= 1
    return matches


def _call_errors(call: Call, expected: ReferenceCall, tools: dict[str, Tool], strict: bool, path: str) -> Errors:
    """Wrong arguments as written, then the missing ones."""
    errors = _argument_errors(call.arguments, expected, tools, strict, path)
    return errors + [
        (ErrorKind.MISSING_PARAMETER, f"{path}.arguments.{name}") for name in _missing(call.arguments, expected, tools)
    ]


def _argument_errors(
    arguments: dict[str, Any], expected: ReferenceCall, tools: dict[str, Tool], strict: bool, path: str
) -> Errors:
    properties = _properties(expected.name, tools)
    errors: Errors = []
    for name, value in arguments.items():
        error = _argument_error(name, value, expected, properties, strict)
        if error:
            errors.append((error, f"{path}.arguments.{name}"))
    return errors


def _argument_error(
    name: str, value: Any, expected: ReferenceCall, properties: dict[str, Any], strict: bool
) -> ErrorKind | None:
    if any(same_value(value, accepted, strict) for accepted in _accepted(name, expected, properties)):
        return None
    if name in expected.arguments:
        return ErrorKind.WRONG_TYPE if type_errors(value, properties.get(name, {})) else ErrorKind.WRONG_VALUE
    return ErrorKind.EXTRA_PARAMETER if name in properties else ErrorKind.UNKNOWN_PARAMETER


def _accepted(name: str, expected: ReferenceCall, properties: dict[str, Any]) -> list[Any]:
    """Every value that an argument may have: for one the reference does not name, its default alone."""
    if name in expected.arguments:
        return expected.arguments[name]
    schema = properties.get(name, {})
    return [schema["default"]] if "default" in schema else []


def _missing(arguments: dict[str, Any], expected: ReferenceCall, tools: dict[str, Tool]) -> list[str]:
    """Expected arguments that are absent and may not be: one whose default is acceptable may, unless it is required."""
    absent = [name for name in expected.arguments if name not in arguments and name not in expected.optional]
    if not absent:
        return absent
    properties, required = _properties(expected.name, tools), tools[expected.name].required
    return [name for name in absent if name in required or not _default_is_accepted(name, expected, properties)]


def _default_is_accepted(name: str, expected: ReferenceCall, properties: dict[str, Any]) -> bool:
    schema = properties.get(name, {})
    if "default" not in schema:
        return False
    return any(same_value(schema["default"], value, strict=True) for value in expected.arguments[name])


def _properties(name: str, tools: dict[str, Tool]) -> dict[str, Any]:
    return tools[name].properties


def _matched(call: Call, expected: ReferenceCall, tools: dict[str, Tool], strict: bool) -> tuple[int, int]:
    """How many expected arguments are right, and how many arguments are not expected.

    An expected argument that is absent and may be absent is right.
    """
    errors = [kind for kind, _ in _call_errors(call, expected, tools, strict, "")]
    spurious = sum(kind in (ErrorKind.UNKNOWN_PARAMETER, ErrorKind.EXTRA_PARAMETER) for kind in errors)
    return len(expected.arguments) - (len(errors) - spurious), spurious


def _prefix_errors(scanner: Grammar, reference: Reference, strict: bool) -> Errors:
    """All errors in what was read so far that no continuation can mend."""
    if scanner.error:
        return [(ErrorKind.UNPARSEABLE, scanner.error.path)]
    if scanner.talks is None:
        return []
    if scanner.talks:
        if reference.kind is Kind.CALLS:
            return [(ErrorKind.SHOULD_CALL, "choice")]
        return _text_errors(scanner, reference)
    if reference.kind is not Kind.CALLS:
        return [(ErrorKind.SHOULD_NOT_CALL, "choice")]
    return _begun_errors(scanner, reference.calls, scanner.tools, strict)


def _text_errors(scanner: Grammar, reference: Reference) -> Errors:
    text, tools = scanner.text(), scanner.tools.values()
    if holds_call(text, tools):
        return [(ErrorKind.SHOULD_NOT_CALL, "text")]
    whole = scanner.ended
    fine = text_share(text, reference, tools) == 1.0 if whole else text_could_be_right(text, reference, tools)
    return [] if fine else [(ErrorKind.WRONG_TEXT, "text")]


def _begun_errors(scanner: Grammar, expected: Sequence[ReferenceCall], tools: dict[str, Tool], strict: bool) -> Errors:
    rows = len(scanner.calls) + (scanner.in_call or scanner.promised)

    def errors_of(row: int, column: int) -> Errors:
        path = f"calls[{row}]"
        if row < len(scanner.calls):
            return _call_errors(scanner.calls[row], expected[column], tools, strict, path)
        return _open_errors(scanner, expected[column], tools, strict, path) if scanner.in_call else []

    def weight(row: int, column: int) -> float:
        if row < len(scanner.calls):
            if scanner.calls[row].name != expected[column].name:
                return 0.0
            return NAME_WEIGHT - _blame(errors_of(row, column), "")
        if not scanner.in_call:
            return 1.0  # a promised call takes what the others leave
        if not _name_could_become(scanner, expected[column].name):
            return 0.0
        return NAME_WEIGHT - 1 - _blame(errors_of(row, column), _last_path(scanner, f"calls[{row}]"))

    pairs = _assign(rows, len(expected), weight)
    errors: Errors = []
    for row, column in enumerate(_rows(rows, len(expected), pairs)):
        if column is None:
            errors.append((ErrorKind.WRONG_COUNT, f"calls[{max(row - 1, 0)}].next"))
        elif column < 0:
            errors.append((ErrorKind.WRONG_FUNCTION, f"calls[{row}].name"))
        else:
            errors += errors_of(row, column)
    if scanner.closed and rows < len(expected):
        errors.append((ErrorKind.WRONG_COUNT, f"calls[{rows - 1}].next"))
    return errors


def _blame(errors: Errors, last: str) -> float:
    """How badly a call fits an expected one. An error of its last fragment weighs less than an earlier one, because
    all that stands before the last fragment was consistent with the call that is really meant.
    """
    weights = dict.fromkeys(ErrorKind, 1.0) | {ErrorKind.UNKNOWN_PARAMETER: 2.0, ErrorKind.EXTRA_PARAMETER: 2.0}
    return sum(weights[kind] if kind is ErrorKind.MISSING_PARAMETER or path == last else 10.0 for kind, path in errors)


def _last_path(scanner: Grammar, path: str) -> str:
    """Where the last fragment of the call being read stands."""
    call = scanner.open
    if call.argument is not None:
        return f"{path}.arguments.{call.argument}"
    if scanner.token == "argument" or call.promised or not call.arguments:
        return f"{path}.arguments"
    return f"{path}.arguments.{list(call.arguments)[-1]}"


def _name_could_become(scanner: Grammar, name: str) -> bool:
    if scanner.open.name is not None:
        return scanner.open.name == name
    return scanner.token != "name" or name.startswith(scanner.token_text())


def _open_errors(scanner: Grammar, expected: ReferenceCall, tools: dict[str, Tool], strict: bool, path: str) -> Errors:
    """Errors of the call being read that no continuation can mend, if it is to become `expected`."""
    call, properties = scanner.open, _properties(expected.name, tools)
    errors = _argument_errors(call.arguments, expected, tools, strict, path)
    if call.argument is not None:
        accepted = _accepted(call.argument, expected, properties)
        if not any(could_become(scanner, value, strict) for value in accepted):
            kind = _begun_value_error(scanner, call.argument, expected, properties)
            errors.append((kind, f"{path}.arguments.{call.argument}"))
    elif call.complete:
        absent = _missing(call.arguments, expected, tools)
        errors += [(ErrorKind.MISSING_PARAMETER, f"{path}.arguments.{name}") for name in absent]
    elif scanner.token == "argument" or (call.promised and not scanner.trailing_commas):
        known, begun = expected.arguments | properties, scanner.token_text()
        left = [name for name in known if name not in call.arguments and name.startswith(begun)]
        if not any(_accepted(name, expected, properties) for name in left):
            kind = ErrorKind.EXTRA_PARAMETER if left else ErrorKind.UNKNOWN_PARAMETER
            errors.append((kind, f"{path}.arguments"))
    return errors


def _begun_value_error(scanner: Grammar, name: str, expected: ReferenceCall, properties: dict[str, Any]) -> ErrorKind:
    if name not in expected.arguments:
        return ErrorKind.EXTRA_PARAMETER if name in properties else ErrorKind.UNKNOWN_PARAMETER
    if scanner.token == "raw":  # any text can be a string
        return ErrorKind.WRONG_VALUE
    begun, allowed = begun_type(scanner), types_of(properties.get(name, {}))
    fits = begun in allowed or (begun == "number" and "integer" in allowed)
    return ErrorKind.WRONG_VALUE if fits else ErrorKind.WRONG_TYPE
