"""The search: all trees of a wave advance together, one request a tree and one engine call a round."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from stages.engine import seed_of
from stages.engine.base import Completion, Engine, Prefix, Request, Sampling
from stages.exploration.tree import (
    Judgement,
    Rollout,
    Tree,
    backward,
    expand,
    ids_to,
    logprobs_to,
    node_visits,
    plant,
    select,
)
from stages.params import Exploration
from stages.toolcall.checker import check
from stages.toolcall.prompt import Prompter
from stages.toolcall.scanner import cut
from stages.toolcall.types import Answer, Task, Unparseable

Advance = Callable[[int, int, int], None]  # told after every round: tasks finished, rollouts, generated tokens


def explore(
    tasks: Sequence[Task],
    engine: Engine,
    prompter: Prompter,
    settings: Exploration,
    max_tokens: int,
    strict: bool,
    advance: Advance = lambda tasks, rollouts, tokens: None,
) -> list[Tree]:
    """One search tree for each task [X]. An answer has at most `max_tokens` tokens; `strict` is the checker's.

    What the engine sees depends on the tasks given alone, so the same call gives the same trees.
    """
    trees = []
    for start in range(0, len(tasks), settings.wave):
        trees += _wave(tasks[start : start + settings.wave], engine, prompter, settings, max_tokens, strict, advance)
    return trees


def _wave(
    tasks: Sequence[Task],
    engine: Engine,
    prompter: Prompter,
    settings: Exploration,
    max_tokens: int,
    strict: bool,
    advance: Advance,
) -> list[Tree]:
    trees = [plant(prompter.prompt_ids(task)) for task in tasks]
    prefixes = [Prefix(tree.ids[0]) for tree in trees]
    for _ in range(settings.simulations):
        leaves = {index: leaf for index, tree in enumerate(trees) if (leaf := select(tree, settings.c)) is not None}
        if not leaves:
            break
        answers: dict[int, list[int]] = {}
        paths = {index: ids_to(trees[index], leaf) for index, leaf in leaves.items()}
        requests = [
            Request(
                trees[index].ids[0] + paths[index],
                settings.samples,
                seed_of(settings.seed, tasks[index].task_id, leaf, visit),
                prefixes[index],
            )
            for index, leaf in leaves.items()
            for visit in [node_visits(trees[index], leaf)]
        ]
        longest = max(max_tokens - len(path) for path in paths.values())
        completions = engine.generate(requests, Sampling(longest, settings.temperature))
        for (index, leaf), sampled in zip(leaves.items(), completions, strict=True):
            rollouts = [
                _rollout(trees[index], leaf, completion, engine, prompter, max_tokens) for completion in sampled
            ]
            trees[index], answers[index] = expand(trees[index], leaf, rollouts)
        judgements = _judge(tasks, trees, prefixes, answers, engine, prompter, settings.self_evaluation, strict)
        for index in leaves:
            trees[index] = backward(trees[index], judgements[index])
        generated = [completion for sampled in completions for completion in sampled]
        advance(0, len(generated), sum(len(completion.ids) for completion in generated))
    advance(len(tasks), 0, 0)
    return trees


def _rollout(
    tree: Tree, leaf: int, completion: Completion, engine: Engine, prompter: Prompter, max_tokens: int
) -> Rollout:
    """The path to the leaf and its continuation, cut into fragments as one answer of at most `max_tokens` tokens.

    Only token ids are joined: no text, no space, no end token that the model did not generate [O].
    """
    ids = ids_to(tree, leaf) + completion.ids
    logprobs = logprobs_to(tree, leaf) + completion.logprobs
    finish = completion.finish if len(ids) <= max_tokens else "length"
    fragments = cut(ids[:max_tokens], prompter.token_bytes, prompter.dialect, engine.end_ids, finish)
    return Rollout(fragments, logprobs[:max_tokens])


def _judge(
    tasks: Sequence[Task],
    trees: Sequence[Tree],
    prefixes: Sequence[Prefix],
    answers: dict[int, list[int]],
    engine: Engine,
    prompter: Prompter,
    weight: float,
    strict: bool,
) -> dict[int, dict[int, Judgement]]:
    """R = O + w*C of new answers [X], by tree and node. C is asked once for every finished answer, and not at all where
    w is 0 [O].

    An answer cut by the length limit is unparseable, also where the part that is there would parse; it is worth 0.
    """
    finished = {
        (index, node): ids_to(trees[index], node)
        for index, nodes in answers.items()
        for node in nodes
        if trees[index].ids[node][-1] in engine.end_ids
    }
    asked = list(finished) if weight else []
    questions = [prompter.selfeval_ids(trees[index].ids[0], finished[index, node][:-1]) for index, node in asked]
    starts = [prefixes[index] for index, _ in asked]
    evaluations = dict(zip(asked, self_evaluations(engine, prompter, questions, starts), strict=True))

    judgements: dict[int, dict[int, Judgement]] = {index: {} for index in answers}
    for index, nodes in answers.items():
        for node in nodes:
            ids = finished.get((index, node))
            answer = Unparseable(0, "cut by the length limit") if ids is None else _parse(prompter, ids[:-1])
            verdict = check(answer, tasks[index].reference, tasks[index].tools, strict)
            evaluation = evaluations.get((index, node))
            reward = verdict.outcome + weight * (evaluation or 0.0)
            judgements[index][node] = Judgement(verdict.right, verdict.outcome, evaluation, reward)
    return judgements


def self_evaluations(
    engine: Engine, prompter: Prompter, questions: Sequence[tuple[int, ...]], prefixes: Sequence[Prefix]
) -> list[float]:
    """C = p(yes) / (p(yes) + p(no)), the next-token probabilities after each self-evaluation question [X]. Question i
    starts with prefix i.
    """
    words = (prompter.yes, prompter.no)
    pairs = [(question, (token,)) for question in questions for token in words]
    scores = engine.score(pairs, [prefix for prefix in prefixes for _ in words])
    return [1 / (1 + math.exp(no - yes)) for (yes,), (no,) in zip(scores[::2], scores[1::2], strict=True)]


def _parse(prompter: Prompter, ids: tuple[int, ...]) -> Answer | Unparseable:
    try:
        return prompter.dialect.parse(prompter.decode(ids))
    except Unparseable as error:
        return error


def node_rows(task_id: str, tree: Tree) -> Iterator[dict[str, Any]]:
    """The tree as rows of stages.artifacts.NODES."""
    for node in range(len(tree)):
        judged = tree.judgement[node]
        yield {
            "task_id": task_id,
            "node": node,
            "parent": tree.parent[node],
            "ids": tree.ids[node],
            "kind": tree.kind[node],
            "path": tree.path[node],
            "logprob": math.fsum(tree.logprobs[node]),
            "visits": tree.visits[node],
            "q": tree.q[node],
            "right": tree.right[node],
            "terminal": tree.terminal[node],
            "outcome": judged.outcome if judged else None,
            "self_evaluation": judged.self_evaluation if judged else None,
        }
