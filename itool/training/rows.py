"""What is trained on: answers, and the pairs that branch off them, as one sequence of token ids each.

A row holds one answer and all fragments that were rejected somewhere along it. In the sequence, the rejected fragments
(the branches) follow the prompt and the answer (the trunk). A branch attends to the trunk up to the token where it
leaves it, and to itself. So the prompt is computed once for the likelihood of the answer and for all pairs [O]; a
trainer of pairs computes it twice for each. A row of supervised fine-tuning is one without pairs.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import Dataset

WINDOW = 16  # batches among which rows are grouped by length


@dataclass(frozen=True)
class Pair:
    """A preference at token `at` of an answer: its next `chosen` tokens are preferred to the tokens `rejected`."""

    at: int
    chosen: int
    rejected: tuple[int, ...]
    reference: tuple[float, float] = (0.0, 0.0)  # log-probabilities of chosen and rejected under the reference


@dataclass(frozen=True)
class Row:
    """An answer and the pairs along it. `learn`: its likelihood is raised, too."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    learn: bool = True
    pairs: tuple[Pair, ...] = ()

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer) + sum(len(pair.rejected) - 1 for pair in self.pairs)

    def alone(self, pair: Pair) -> tuple["Row", "Row"]:
        """The chosen and the rejected fragment of a pair as rows of their own, without branches."""
        prompt = self.prompt + self.answer[: pair.at]
        return Row(prompt, self.answer[pair.at : pair.at + pair.chosen]), Row(prompt, pair.rejected)


IDLE = Row((0,), (0,), learn=False)  # teaches nothing


class Samples(Dataset[Row]):
    """rows[order[0]], rows[order[1]], ..., filled up with IDLE to a multiple of `together`.

    Ranks that train together have their passes at the same time, so what is left for the last one must be enough for
    all of them.
    """

    def __init__(self, rows: Sequence[Row], order: Sequence[int], together: int = 1) -> None:
        self.rows, self.order = rows, order
        self.idle = -len(order) % together

    def __len__(self) -> int:
        return len(self.order) + self.idle

    def __getitem__(self, index: int) -> Row:
        return self.rows[self.order[index]] if index < len(self.order) else IDLE


def rows_with_loss(rows: Sequence[Row], pair_loss: str, answer_weight: float) -> list[Row]:
    """The rows that preference training can learn from: those with pairs, and those whose answer is learnt.

    With the pair loss `sft` the pairs are dropped, and with an `answer_weight` of 0 no answer is learnt.
    """
    if pair_loss == "sft":
        rows = [replace(row, pairs=()) for row in rows]
    return [row for row in rows if row.pairs or (row.learn and answer_weight > 0)]


def schedule(
    rows: Sequence[Row], samples: int, batch: int, seed: int, difficulty: Sequence[float] | None = None
) -> list[int]:
    """Indices of `samples` rows, epoch after epoch, so that rows of like length share a batch [O].

    Every epoch is shuffled, but with `difficulty` (one a row) the first goes from easy to hard [P]; the last one may
    end early. In each window of a few batches the rows are sorted by length, cut into batches, and the batches
    shuffled.
    """
    chance = random.Random(f"{seed}/schedule")
    order: list[int] = []
    while len(order) < samples:
        indices = list(range(len(rows)))
        chance.shuffle(indices)
        if difficulty is not None and not order:
            indices.sort(key=difficulty.__getitem__)
        order += indices
    del order[samples:]
    lengths = [len(row) for row in rows]
    grouped = []
    for start in range(0, len(order), WINDOW * batch):
        window = sorted(order[start : start + WINDOW * batch], key=lengths.__getitem__)
        batches = [window[i : i + batch] for i in range(0, len(window), batch)]
        # A short batch must stay last, or all batches after it are cut elsewhere.
        tail = [batches.pop()] if len(batches[-1]) < batch else []
        chance.shuffle(batches)
        grouped += [index for indices in batches + tail for index in indices]
    return grouped


class Collator:
    """Makes one batch of B rows: sequences of at most L tokens, T tokens that are scored, and P pairs.

    input_ids [B, L], padded on the right.
    position_ids [B, L] and attention_mask [B, 1, L, L], only where a row has pairs. Without branches the causal mask
    alone keeps the padding out, and the attention without a mask is faster.
    at [T, 2]: row and column whose output predicts a token; tokens [T]; learnt [T]: which of them are learnt.
    chosen, rejected [*, 2]: pair and place in `tokens` of each token of that side.
    reference [P, 2]: log-probabilities of chosen and rejected under the reference.
    """

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        ids, positions, segments, limits = [], [], [], []  # a list a row
        at: list[tuple[int, int]] = []
        tokens: list[int] = []
        learnt: list[bool] = []
        chosen: list[tuple[int, int]] = []
        rejected: list[tuple[int, int]] = []
        reference: list[tuple[float, float]] = []
        for number, row in enumerate(rows):
            trunk = [*row.prompt, *row.answer]
            first = len(row.prompt) - 1  # predicts the answer's first token
            answer_at = len(tokens) - first
            ids.append(trunk[:-1])
            positions.append(list(range(len(trunk) - 1)))
            segments.append([0] * (len(trunk) - 1))
            limits.append(list(range(1, len(trunk))))
            at += [(number, column) for column in range(first, len(trunk) - 1)]
            tokens += row.answer
            learnt += [row.learn] * len(row.answer)
            for branch, pair in enumerate(row.pairs, start=1):
                start = first + pair.at
                chosen += [(len(reference), answer_at + start + step) for step in range(pair.chosen)]
                begun, length = pair.rejected[:-1], len(ids[-1])
                rejected += [(len(reference), len(tokens) + step) for step in range(len(pair.rejected))]
                at += [(number, start), *((number, length + step) for step in range(len(begun)))]
                tokens += pair.rejected
                learnt += [False] * len(pair.rejected)
                ids[-1] += begun
                positions[-1] += range(start + 1, start + 1 + len(begun))
                segments[-1] += [branch] * len(begun)
                limits[-1] += [start + 1] * len(begun)
                reference.append(pair.reference)
        batch = {
            "input_ids": padded(ids, self.pad),
            "at": torch.tensor(at),
            "tokens": torch.tensor(tokens),
            "learnt": torch.tensor(learnt),
            "chosen": torch.tensor(chosen, dtype=torch.long).reshape(-1, 2),
            "rejected": torch.tensor(rejected, dtype=torch.long).reshape(-1, 2),
            "reference": torch.tensor(reference, dtype=torch.float32).reshape(-1, 2),
        }
        if reference:
            batch["position_ids"] = padded(positions, 0)
            batch["attention_mask"] = branch_mask(padded(segments, -1), padded(limits, 0))
        return batch


def padded(lists: Sequence[list[int]], value: int) -> Tensor:
    """[B, L], each list filled up on the right."""
    width = max(map(len, lists))
    return torch.tensor([each + [value] * (width - len(each)) for each in lists])


def branch_mask(segment: Tensor, limit: Tensor) -> Tensor:
    """Which column each column of a row attends to, [B, 1, L, L].

    segment [B, L]: 0 on the trunk, the branch's number on a branch, -1 on padding. limit [B, L]: how many columns of
    the trunk it sees.
    """
    column = torch.arange(segment.shape[1])
    on_trunk = (segment == 0)[:, None, :] & (column < limit[:, :, None])
    on_branch = (segment[:, :, None] == segment[:, None, :]) & (column[:, None] >= column)
    return (on_trunk | on_branch)[:, None]
