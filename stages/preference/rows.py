"""The rows of preference training: an iteration's answers with their pairs, read from its tables."""

from typing import Any

from itool import paths
from itool.artifacts import ANSWERS, PAIRS, read_table
from itool.errors import UserError
from itool.training.rows import Pair, Row


def read_rows(iteration: str, max_length: int) -> list[Row]:
    """The answers of an iteration with their pairs.

    Raises UserError naming file and task for a pair that would train on something else than where two fragments part on
    its answer, and for what is longer than `max_length` tokens.
    """
    file, pairs_file = paths.ANSWERS.format(iteration), paths.PAIRS.format(iteration)
    answers = list(read_table(file, ANSWERS).iter_rows(named=True))
    for answer in answers:
        if not answer["answer"]:
            raise UserError(f"{file}: task {answer['task_id']}: column answer: found no tokens")
    pairs: list[list[Pair]] = [[] for _ in answers]
    for pair in read_table(pairs_file, PAIRS).iter_rows(named=True):
        where = f"{pairs_file}: task {pair['task_id']}"
        if not 0 <= pair["answer"] < len(answers):
            raise UserError(f"{where}: column answer: found {pair['answer']}, expected a row of {file}")
        answer = answers[pair["answer"]]
        pairs[pair["answer"]].append(pair_on(pair, answer["prompt"], answer["answer"], where, file))
    rows = [
        Row(tuple(answer["prompt"]), tuple(answer["answer"]), answer["learn"], tuple(branches))
        for answer, branches in zip(answers, pairs, strict=True)
    ]
    for number, row in enumerate(rows):
        longest = max(len(row.answer), *(pair.at + len(pair.rejected) for pair in row.pairs), 0)
        if len(row.prompt) + longest > max_length:
            found = f"{file}: row {number}: found {len(row.prompt) + longest} tokens"
            raise UserError(f"{found}, expected at most model.max_length = {max_length}")
    return rows


def pair_on(pair: dict[str, Any], prompt: list[int], answer: list[int], where: str, file: str) -> Pair:
    """A row of PAIRS as a pair on the answer that it names. Raises UserError that opens with `where`."""
    begin, chosen, rejected = pair["prompt"], pair["chosen"], pair["rejected"]
    for name, ids in (("prompt", begin), ("chosen", chosen), ("rejected", rejected)):
        if not ids:
            raise UserError(f"{where}: column {name}: found no tokens")
    if chosen[0] == rejected[0]:
        raise UserError(f"{where}: chosen and rejected both begin with token {chosen[0]}, which belongs to the prompt")
    lies_on = (prompt + answer)[: len(begin) + len(chosen)] == begin + chosen
    if len(begin) < len(prompt) or not lies_on:
        raise UserError(f"{where}: prompt and chosen are not how row {pair['answer']} of {file} begins")
    return Pair(len(begin) - len(prompt), len(chosen), tuple(rejected))
