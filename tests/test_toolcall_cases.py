"""Answers after public bug reports, each with the verdict that it must get (tests/data/answers.jsonl)."""

import json
from pathlib import Path
from typing import Any

import pytest
from toolcall_strategies import BYTES, END, byte_ids

from itool.formats.notes import Notes
from itool.formats.tools import tools_of
from itool.toolcall.checker import Verdict, check, first_error
from itool.toolcall.dialects import DIALECTS, read_answer
from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.scanner import cut, join_bytes
from itool.toolcall.types import Reference

CASES = [json.loads(line) for line in Path("tests/data/answers.jsonl").read_text().splitlines()]
# These are calls in the form of another family of models, which that family's dialect reads.
OTHER_FAMILY = {
    "xLAM list of JSON in pythonic": "xlam",
    "xLAM list of JSON": "xlam",
    "Llama 3.1 JSON": "llama3_json",
    "Qwen3-Coder XML call": "qwen3_coder",
}


def dialect_of(case: dict[str, Any]) -> Dialect:
    return DIALECTS[OTHER_FAMILY.get(case["case"], case["dialect"])]


def verdict(case: dict[str, Any]) -> Verdict:
    tools = tools_of(case["tools"], "case", Notes())
    answer = read_answer(dialect_of(case), case["text"], case["finished"], tools)
    return check(answer, Reference.from_json(json.dumps(case["reference"])), tools, strict=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['dialect']}: {case['case']}")
def test_verdict(case: dict[str, Any]) -> None:
    found = verdict(case)
    assert found.right == (case["want"] == "RIGHT"), found


@pytest.mark.parametrize("case", [case for case in CASES if verdict(case).right], ids=lambda case: case["case"])
def test_right_answers_are_cut_into_consistent_fragments(case: dict[str, Any]) -> None:
    dialect, tools = dialect_of(case), tools_of(case["tools"], "case", Notes())
    reference = Reference.from_json(json.dumps(case["reference"]))
    ids = byte_ids(case["text"].encode())
    fragments = cut(ids, BYTES, dialect, {END}, "stop")
    assert tuple(i for fragment in fragments for i in fragment.ids) == ids
    so_far: tuple[int, ...] = ()
    for fragment in fragments:
        so_far += fragment.ids
        prefix = join_bytes(so_far, BYTES, {END})
        assert first_error(prefix, reference, tools, False, dialect, ended=END in so_far) is None, prefix
