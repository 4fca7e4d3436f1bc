"""A language model that is a finite list of answers, exact in its probabilities, and a prompter to go with it."""

import math
import random

from itool.engine.base import Completion
from itool.toolcall.dialects import DIALECTS
from itool.toolcall.types import Call, Kind, Reference, ReferenceCall, Task, Tool

pythonic = DIALECTS["pythonic"]

PIECES = [
    b"[",
    b"f(",
    b"g(",
    b"a=",
    b"1",
    b"2",
    b"b=",
    b'"x"',
    b'"y"',
    b", ",
    b",",
    b" ",
    b")",
    b")]",
    b"]",
    b"No",
    b" tool",
    b" fits",
    b".",
    b"a=1",
]
END, PROMPT, QUESTION, YES, NO = range(len(PIECES), len(PIECES) + 5)
TOKEN_BYTES = [*PIECES, b"<end>", b"<prompt>", b"<question>", b"yes", b"no"]


def ids_of(*pieces):
    return tuple(PIECES.index(piece) for piece in pieces)


# Two spellings of the same right answer, wrong values, a wrong function, talk, and one that breaks the grammar.
MODEL = {
    (*ids_of(b"[", b"f(", b"a=", b"1", b", ", b"b=", b'"x"', b")]"), END): 0.2,
    (*ids_of(b"[", b"f(", b"a=1", b", ", b"b=", b'"x"', b")", b"]"), END): 0.1,
    (*ids_of(b"[", b"f(", b"a=", b"1", b", ", b"b=", b'"y"', b")]"), END): 0.2,
    (*ids_of(b"[", b"f(", b"a=", b"1", b"2", b", ", b"b=", b'"x"', b")]"), END): 0.15,
    (*ids_of(b"[", b"f(", b"b=", b'"x"', b")]"), END): 0.1,
    (*ids_of(b"[", b"g(", b"a=", b"2", b")]"), END): 0.1,
    (*ids_of(b"No", b" tool", b" fits", b"."), END): 0.1,
    (*ids_of(b"[", b"f(", b")", b")"), END): 0.05,
}
PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
    "required": ["a", "b"],
}


def tasks(count):
    reference = Reference(Kind.CALLS, calls=(ReferenceCall("f", {"a": [1], "b": ["x"]}),))
    tools = (Tool("f", "does f", PARAMETERS), Tool("g", "does g", PARAMETERS))
    messages = ({"role": "user", "content": "do f with 1 and x"},)
    return [Task(f"task-{number:03}", "explore", "multiple", tools, messages, reference) for number in range(count)]


class FakePrompter:
    """Prompts are the task's number in tokens."""

    dialect = pythonic
    token_bytes = TOKEN_BYTES
    end_id = END
    end_ids = frozenset({END})
    yes, no = YES, NO
    max_length = 1000

    def prompt_ids(self, task):
        return (*(int(digit) for digit in task.task_id[-3:]), PROMPT)

    def completion_ids(self, answer):
        """The first of MODEL's answers that reads so."""
        return next(ids for ids in MODEL if self.decode(ids) == pythonic.render(answer))

    def selfeval_ids(self, prompt, completion):
        answer = completion[:-1] if completion[-1:] == (END,) else completion
        return (*prompt, *answer, END, QUESTION)

    def decode(self, ids):
        return b"".join(TOKEN_BYTES[token] for token in ids if token != END).decode()


class FakeEngine:
    """Samples MODEL token by token after the prompt; keeps what it was asked and every whole answer it gave."""

    end_ids = frozenset({END})

    def __init__(self, calls_until_killed=None):
        self.requests, self.answers, self.calls, self.scored = [], [], [], []
        self.calls_until_killed = calls_until_killed

    def generate(self, requests, sampling):
        if self.calls_until_killed == len(self.calls):
            raise KeyboardInterrupt
        self.calls.append(len(requests))
        self.requests += requests
        return [[self._sample(request, number, sampling) for number in range(request.n)] for request in requests]

    def _sample(self, request, number, sampling):
        random_ = random.Random(f"{request.seed}/{number}")
        start = request.prompt.index(PROMPT) + 1
        prefix, ids, logprobs = request.prompt[start:], (), ()
        while len(ids) < sampling.max_tokens and ids[-1:] != (END,):
            written = prefix + ids
            weights = {}
            for answer, weight in MODEL.items():
                if answer[: len(written)] == written:
                    token = answer[len(written)]
                    weights[token] = weights.get(token, 0.0) + weight
            assert weights, f"no model wrote {written}"
            [token] = random_.choices(list(weights), list(weights.values()))
            ids, logprobs = (*ids, token), (*logprobs, math.log(weights[token] / sum(weights.values())))
        self.answers.append((request.prompt[:start], prefix + ids))
        return Completion(ids, logprobs, "stop" if ids[-1] == END else "length")

    def score(self, pairs, prefixes=()):
        """p(yes) = 0.6, p(no) = 0.2 for answers that begin as calls, the reverse for others."""
        self.scored += pairs
        scores = []
        for prompt, (token,) in pairs:
            calls = prompt[prompt.index(PROMPT) + 1] == 0
            scores.append([math.log(0.6 if calls == (token == YES) else 0.2)])
        return scores


RIGHT = Call("f", {"a": 1, "b": "x"})
