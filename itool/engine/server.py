"""The engine over an OpenAI-compatible server that takes and returns token ids (vLLM's `return_token_ids`).

One request of ours is one HTTP request; `engine.server.concurrency` of them are in flight [O]. The model asked for is
the model folder as params.yaml and the stages name it, which is the name that vLLM gives a model started as
`--model data/models/it0`. A PEFT adapter is asked for by its contents as well, or a server would go on with the one
that it was handed before.

Log-probabilities are those of the distribution sampled from, as of the other engines: at a temperature other than 0 and
1 the server must run with `--logprobs-mode processed_logprobs`, which is checked before the first such call [O].
"""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from itool import params
from itool.endpoint import Endpoint
from itool.engine.base import SEEDS, Completion, Ids, Prefix, Request, Sampling, inputs_of, is_adapter
from itool.errors import UserError


class TokenLogprob(BaseModel):
    logprob: float


class Logprobs(BaseModel):
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None = None  # by "token_id:7"


class Choice(BaseModel):
    token_ids: list[int] | None = None
    logprobs: Logprobs
    finish_reason: Literal["stop", "length"]
    prompt_logprobs: list[dict[int, TokenLogprob] | None] | None = None


class Answer(BaseModel):
    choices: list[Choice] = Field(min_length=1)


def generated(choice: Choice) -> tuple[Ids, tuple[float, ...]]:
    """Token ids of a choice and one log-probability for each."""
    return tuple(choice.token_ids or ()), tuple(choice.logprobs.token_logprobs)


def name_of(folder: Path) -> str:
    """The folder, and for an adapter `@` and 8 hexadecimal digits of its files."""
    if not is_adapter(folder):
        return str(folder)
    contents = hashlib.blake2b(digest_size=4)
    for file in sorted(folder.glob("adapter_*")):
        contents.update(file.read_bytes())
    return f"{folder}@{contents.hexdigest()}"


class ServerEngine:
    """Fills itool.engine.base.Engine. A PEFT adapter that the server does not list yet is loaded there."""

    def __init__(self, model_dir: str | Path, engine_params: params.Engine, end_ids: Collection[int]) -> None:
        self.end_ids = frozenset(end_ids)
        self.endpoint = Endpoint(engine_params.server, "engine.server.url")
        self.url = self.endpoint.url
        self.model = name_of(Path(model_dir))
        self.processed = False  # known to return log-probabilities of the distribution sampled from
        self._find(Path(model_dir))
        self.generate([Request((min(end_ids),))], Sampling(1, 0.0))  # a server without token ids is told at the start

    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        if requests and sampling.temperature not in (0, 1) and not self.processed:
            self._check_logprobs(requests[0].prompt)
        greedy = sampling.temperature == 0  # all n are the same, and vLLM takes n = 1 only
        answers = self._complete(
            [
                {
                    "prompt": request.prompt,
                    "n": 1 if greedy else request.n,
                    "seed": request.seed % SEEDS,
                    "temperature": sampling.temperature,
                    "max_tokens": sampling.max_tokens,
                    "logprobs": 0,
                }
                for request in requests
            ]
        )
        completions = []
        for request, answer in zip(requests, answers, strict=True):
            sampled = [Completion(*generated(choice), choice.finish_reason) for choice in answer.choices]
            completions.append(sampled * request.n if greedy else sampled)
            if len(completions[-1]) != request.n:
                raise UserError(f"{self.url}: found {len(sampled)} completions, expected {request.n}")
        return completions

    def score(self, pairs: Sequence[tuple[Ids, Ids]], prefixes: Sequence[Prefix] = ()) -> list[list[float]]:
        # The last token of a continuation is read off the token that follows the others, those off the prompt.
        asked = inputs_of(pairs)
        answers = self._complete(
            [
                {
                    "prompt": ids,
                    "temperature": 0,
                    "max_tokens": 1,
                    "logprobs": 0,
                    "logprob_token_ids": list(dict.fromkeys(pairs[pair][1][-1] for pair in some)),
                    "return_tokens_as_token_ids": True,
                    # Asking for these also makes vLLM skip the prefix cache, on which they would depend (vllm#42019).
                    "prompt_logprobs": 0 if any(len(pairs[pair][1]) > 1 for pair in some) else None,
                }
                for ids, some in asked.items()
            ]
        )
        scores: list[list[float]] = [[] for _ in pairs]
        for (ids, some), answer in zip(asked.items(), answers, strict=True):
            [choice] = answer.choices
            before = choice.prompt_logprobs or []
            [after] = choice.logprobs.top_logprobs or [{}]
            try:
                for pair in some:
                    *others, last = pairs[pair][1]
                    known = [before[place - len(others)] for place in range(len(others))] if others else []
                    scores[pair] = [
                        *((each or {})[token].logprob for each, token in zip(known, others, strict=True)),
                        after[f"token_id:{last}"],
                    ]
            except (KeyError, IndexError) as error:
                raise UserError(
                    f"{self.url}: no log-probability of token {error} after a prompt of {len(ids)} tokens; expected "
                    "prompt_logprobs and logprob_token_ids to be answered, as vLLM does"
                ) from None
        return scores

    def _find(self, folder: Path) -> None:
        """Makes sure that the server has the model."""
        served = self.endpoint.send([("GET", "/models", None)])[0]
        try:
            names = [entry["id"] for entry in served["data"]]
            serves = ", ".join(names)
        except (KeyError, TypeError):
            raise UserError(f"{self.url}/models: found {str(served)[:100]}; expected a list of models") from None
        if self.model in names:
            return
        if is_adapter(folder):
            self.endpoint.send(
                [("POST", "/load_lora_adapter", {"lora_name": self.model, "lora_path": str(folder.resolve())})]
            )
            return
        raise UserError(
            f"{self.url}: serves {serves}; expected {self.model}: start the server on that folder, e.g. "
            f"vllm serve {self.model}, from the project's root"
        )

    def _check_logprobs(self, prompt: Ids) -> None:
        """Raises UserError when the log-probabilities of samples are the same as without temperature.

        A prompt after which one token is nearly certain tells nothing.
        """
        hot = {"prompt": prompt, "n": 8, "seed": 1, "temperature": 2.0, "max_tokens": 1, "logprobs": 0}
        [answer] = self._complete([hot])
        sampled = {ids[0]: logprobs[0] for ids, logprobs in map(generated, answer.choices)}
        scores = self.score([(prompt, (token,)) for token in sampled])
        raw = {token: score for token, [score] in zip(sampled, scores, strict=True) if score < -0.01}
        if raw and all(abs(sampled[token] - raw[token]) < 1e-4 for token in raw):
            raise UserError(
                f"{self.url}: returns log-probabilities without temperature; "
                "start the server with --logprobs-mode processed_logprobs"
            )
        self.processed = bool(raw)

    def _complete(self, bodies: list[dict[str, Any]]) -> list[Answer]:
        """The answers of /completions, checked."""
        always = {
            "model": self.model,
            "stop_token_ids": sorted(self.end_ids),
            "ignore_eos": True,  # end_ids alone end a turn
            "return_token_ids": True,
            # What the server would else take from the model's generation config:
            "top_p": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }
        answers = []
        for answer in self.endpoint.send([("POST", "/completions", always | body) for body in bodies]):
            try:
                answers.append(Answer.model_validate(answer))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                raise UserError(f"{self.url}/completions: answer: {where}: {first['msg'].lower()}") from None
            for choice in answers[-1].choices:
                if choice.token_ids is None:
                    raise UserError(
                        f"{self.url}/completions: found no token ids in the answer; expected a server that knows "
                        "return_token_ids (vLLM does)"
                    )
                if len(choice.token_ids) != len(choice.logprobs.token_logprobs):
                    raise UserError(f"{self.url}/completions: answer: not one log-probability for each token id")
        return answers
