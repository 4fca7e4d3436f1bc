"""What must hold of the fragments of right answers and of spoilt ones, in whatever dialect."""

from hypothesis import strategies as st
from test_toolcall_checker import mutations
from toolcall_strategies import BYTES, END, byte_ids, shuffled, tokenised

from itool.toolcall.checker import first_error
from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.scanner import cut, join_bytes
from itool.toolcall.types import Answer, ErrorKind, Reference, Tool

NUMBER_ENDS = (b",", b")", b"}", b"<")


def assert_prefixes_consistent(
    draw: st.DrawFn, text: bytes, dialect: Dialect, reference: Reference, tools: list[Tool], strict: bool
) -> None:
    """In a random tokenisation a right answer can still become right after each of its fragments."""
    ids, table, end = draw(tokenised(text))
    so_far: tuple[int, ...] = ()
    for fragment in cut(ids, table, dialect, {end}, "stop"):
        so_far += fragment.ids
        prefix = join_bytes(so_far, table, {end})
        whole_number = not prefix[-1:].isalnum() or text[len(prefix) : len(prefix) + 1] in NUMBER_ENDS
        if whole_number:  # a token that spans a boundary may leave the next number unfinished
            assert first_error(prefix, reference, tools, strict, dialect, end in so_far) is None
    assert so_far == ids


def spoilt(
    draw: st.DrawFn, dialect: Dialect, reference: Reference, tools: list[Tool]
) -> tuple[ErrorKind, ErrorKind, Answer]:
    """Spoils one fragment of a right answer, which must be the first from which no answer can become right.

    Returns how it was spoilt, what is said to be wrong with the answer first, and the answer.
    """
    calls = list(shuffled(draw, reference.answer()).calls)
    index = draw(st.integers(0, len(calls) - 1))
    tool = next(tool for tool in tools if tool.name == calls[index].name)
    kind, name, calls[index] = draw(st.sampled_from(mutations(tool, calls[index])))
    answer = Answer(tuple(calls))
    prefix, found = b"", []
    for fragment in cut(byte_ids(dialect.render(answer).encode()), BYTES, dialect, {END}, "stop"):
        prefix += join_bytes(fragment.ids, BYTES, {END})
        error = first_error(prefix, reference, tools, False, dialect, END in fragment.ids)
        if error and not any(found):
            missing = kind is ErrorKind.MISSING_PARAMETER
            assert fragment.path == (f"calls[{index}].next" if missing else f"calls[{index}].arguments.{name}")
        found.append(error)
    wrong = [error is not None for error in found]
    assert wrong == sorted(wrong)  # what cannot be mended stays so
    assert wrong[-1]
    return kind, next(error for error in found if error), answer
