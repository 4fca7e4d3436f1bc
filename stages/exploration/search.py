"""The search: all trees of a wave advance together, one engine call a round for the requests of all of them."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from itool.engine import seed_of
from itool.engine.base import Completion, Engine, Prefix, Request, Sampling, log_odds
from itool.params import Exploration
from itool.toolcall.checker import check
from itool.toolcall.dialects import read_answer
from itool.toolcall.prompt import Prompter
from itool.toolcall.scanner import cut
from itool.toolcall.types import Task
from stages.exploration.tree import (
    Judgement,
    Rollout,
    Tree,
    backward,
    expand,
    ids_to,
    logprobs_to,
    new_tree,
    node_visits,
    select,
)

Advance = Callable[[Sequence[Tree], int, int], None]  # told after every round: finished trees, rollouts, tokens


@dataclass
class Search:
    """One task's tree while it grows."""

    task: Task
    tree: Tree
    prefix: Prefix
    requests: int = 0  # sent so far
    judged: dict[int, Judgement] = field(default_factory=dict)  # complete answers


def explore(
    tasks: Sequence[Task],
    engine: Engine,
    prompter: Prompter,
    settings: Exploration,
    max_tokens: int,
    strict: bool,
    advance: Advance = lambda finished, rollouts, tokens: None,
) -> list[Tree]:
    """One search tree for each task [X]. An answer has at most `max_tokens` tokens; `strict` is the checker's.

    `settings.wave` trees grow at a time, each with `settings.in_flight` requests; the requests of all of them are one
    call of the engine. A tree that is finished makes room for the next task at once [O]. What the engine sees depends
    on the tasks given alone, so the same call gives the same trees.
    """
    waiting = iter(enumerate(tasks))
    growing: dict[int, Search] = {}
    finished: dict[int, Tree] = {}
    while len(finished) < len(tasks):
        for index, task in islice(waiting, settings.wave - len(growing)):
            prompt = prompter.prompt_ids(task)
            growing[index] = Search(task, new_tree(prompt), Prefix(prompt))
        rollouts, tokens = _round(list(growing.values()), engine, prompter, settings, max_tokens, strict)
        done = [index for index, search in growing.items() if _finished(search, settings.simulations)]
        finished |= {index: growing.pop(index).tree for index in done}
        advance([finished[index] for index in done], rollouts, tokens)
    return [finished[index] for index in range(len(tasks))]


def _finished(search: Search, simulations: int) -> bool:
    return search.requests == simulations or search.tree.exhausted[0]


def _round(
    growing: Sequence[Search],
    engine: Engine,
    prompter: Prompter,
    settings: Exploration,
    max_tokens: int,
    strict: bool,
) -> tuple[int, int]:
    """Every tree selects its leaves, all leaves go to the engine in one call, all results are backed up.

    Returns the number of rollouts and of generated tokens.
    """
    requests, sent = [], []
    longest = 0
    for search in growing:
        in_flight: dict[int, int] = {}
        while search.requests < settings.simulations and len(in_flight) < settings.in_flight:
            leaf = select(search.tree, settings.c, in_flight)
            if leaf is None:
                break
            path = ids_to(search.tree, leaf)
            seed = seed_of(settings.seed, search.task.task_id, leaf, node_visits(search.tree, leaf))
            requests.append(Request(search.prefix.ids + path, settings.samples, seed, search.prefix))
            sent.append((search, leaf))
            longest = max(longest, max_tokens - len(path))
            in_flight[leaf] = settings.samples
            search.requests += 1

    completions = engine.generate(requests, Sampling(longest, settings.temperature))
    answers: list[tuple[Search, int]] = []
    for (search, leaf), sampled in zip(sent, completions, strict=True):
        rollouts = [_rollout(search.tree, leaf, each, engine, prompter, max_tokens) for each in sampled]
        search.tree, new = expand(search.tree, leaf, rollouts)
        answers += [(search, node) for node in new]
    judgements = _judge(answers, engine, prompter, settings.self_evaluation, strict)
    for (search, node), judgement in zip(answers, judgements, strict=True):
        search.judged[node] = judgement
    for search in growing:
        search.tree = backward(search.tree, search.judged)
    generated = [completion for sampled in completions for completion in sampled]
    return len(generated), sum(len(completion.ids) for completion in generated)


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
    answers: Sequence[tuple[Search, int]], engine: Engine, prompter: Prompter, weight: float, strict: bool
) -> list[Judgement]:
    """R = O + w*C of new answers [X]. C is asked once for every finished answer, and not at all where w is 0 [O]."""
    paths = [ids_to(search.tree, node) for search, node in answers]
    ended = [path[-1] in engine.end_ids for path in paths]
    asked = [index for index, ends in enumerate(ended) if ends and weight]
    prefixes = [answers[index][0].prefix for index in asked]
    questions = [prompter.selfeval_ids(prefix.ids, paths[index]) for index, prefix in zip(asked, prefixes, strict=True)]
    evaluations = dict(zip(asked, self_evaluations(engine, prompter, questions, prefixes), strict=True))

    judgements = []
    for index, (search, _) in enumerate(answers):
        text = prompter.decode(paths[index])
        answer = read_answer(prompter.dialect, text, ended[index], search.task.tools)
        verdict = check(answer, search.task.reference, search.task.tools, strict)
        evaluation = evaluations.get(index)
        reward = verdict.outcome + weight * (evaluation or 0.0)
        judgements.append(Judgement(verdict.right, verdict.outcome, evaluation, reward))
    return judgements


def self_evaluations(
    engine: Engine, prompter: Prompter, questions: Sequence[tuple[int, ...]], prefixes: Sequence[Prefix]
) -> list[float]:
    """C = p(yes) / (p(yes) + p(no)), the next-token probabilities after each self-evaluation question [X]. Question i
    starts with prefix i.
    """
    return [1 / (1 + math.exp(-lean)) for lean in log_odds(engine, questions, prompter.yes, prompter.no, prefixes)]


def node_rows(task_id: str, tree: Tree) -> Iterator[dict[str, Any]]:
    """The tree as rows of itool.artifacts.NODES."""
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
