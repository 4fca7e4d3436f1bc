"""params.yaml as typed, validated objects, one class a section. `load()` is the only way in."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from itool import paths
from itool.engine import ENGINES
from itool.errors import UserError
from itool.toolcall.dialects import DIALECTS
from itool.training import ranks
from itool.training.losses import PAIR_LOSSES

Share = Field(ge=0.0, le=1.0)
Count = Field(ge=1)
Positive = Field(gt=0.0)
Seed = Field(ge=0, lt=2**32)  # what NumPy and PyTorch take
TAKEN = ("decay", "latest", "synthesis", "warmup")  # names of other files in metrics/
NAME = r"^[a-z0-9][a-z0-9_-]*$"  # of a model, which files are named by
CATEGORIES = (  # of the leaderboard: those of a single turn
    *("simple_python", "simple_java", "simple_javascript", "multiple", "parallel", "parallel_multiple", "irrelevance"),
    *("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple", "live_irrelevance", "live_relevance"),
)


def one_of(names: Collection[str]) -> AfterValidator:
    """Accepts a name that is registered, and lists those for any other."""

    def known(name: str) -> str:
        if name not in names:
            raise PydanticCustomError("unknown", "expected one of {names}", {"names": ", ".join(names)})
        return name

    return AfterValidator(known)


def on_or_off(value: Any) -> Any:
    """YAML 1.2 reads the words on and off as texts."""
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Lora(Section):
    """PEFT adapter; `targets` as in `LoraConfig.target_modules`: a list of names, a pattern, or all-linear."""

    rank: int = Count
    alpha: float = Positive
    dropout: float = Share
    targets: str | list[str] = "all-linear"


class Model(Section):
    path: str  # any local Transformers model with a chat template
    dialect: Annotated[str, one_of(["auto", *DIALECTS])]  # auto: what the model's own chat template writes
    chat_template: str | None  # a Jinja file instead of the model's own chat template
    thinking: Annotated[bool, BeforeValidator(on_or_off)]  # whether answers may begin with a thought
    preamble: bool  # whether calls after text, or after a thought that is not asked for, can be right
    train_embeddings: bool  # without lora: whether token embeddings are trained, with an output head tied to them
    lora: Lora | None
    max_length: int = Count  # tokens of prompt and answer; longer samples are an error, never cut
    micro_batch: int | None = Count  # sequences that one forward and backward pass sees; None: an update's whole batch
    checkpointing: bool  # whether the backward pass computes activations anew: less memory, more time


class Vllm(Section):
    """vLLM in process."""

    tensor_parallel: int = Count  # devices that share one model
    memory: float = Field(gt=0.0, le=1.0)  # share of the device's memory for weights and key-value cache
    context: int = Count  # tokens of prompt, answer and self-evaluation question


class Server(Section):
    """A running OpenAI-compatible server that returns token ids."""

    url: str  # up to and with /v1
    concurrency: int = Count  # requests in flight
    timeout: float = Positive  # seconds for one request
    retries: int = Field(ge=0)  # after a failed request


class Engine(Section):
    kind: Annotated[str, one_of(ENGINES)]  # training stages check their models with transformers always
    dtype: Literal["float32", "bfloat16", "float16"]
    threads: int = Count  # fixed, because the sum order of a CPU kernel depends on it
    batch: int = Count  # sequences that decode together
    max_tokens: int = Count  # of an answer
    # Most GiB of keys and values that the transformers engine holds between calls. What exceeds them is computed again.
    prefix_cache: float = Field(ge=0.0)
    vllm: Vllm
    server: Server


class Writer(Section):
    """The language model that words requests, and judges them."""

    model: str | None  # a folder, answered by engine.kind; or with a url the name of a served model
    url: str | None  # of an OpenAI-compatible endpoint, up to and with /v1
    key: str | None  # the environment variable that holds the endpoint's key
    temperature: float = Field(ge=0.0)
    max_tokens: int = Count  # of a reply
    attempts: int = Count  # replies asked for one request, until one says what it must
    languages: list[str] = Field(min_length=1)  # of the requests
    concurrency: int = Count  # requests in flight
    timeout: float = Positive  # seconds for one request
    retries: int = Field(ge=0)  # after a failed request


class Synthesis(Section):
    seed: int = Seed
    tools: str  # a folder of tool files with phrases and simulation, or one JSON file of the user's own tools
    invent: int = Field(ge=0)  # freshly invented tools that join those
    conversations: str  # the user's own, a file or a folder in any layout of docs/data.md; may be empty
    format: str  # of the conversations: auto, or one of itool/formats
    sources: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]]  # file of the folder -> share that is taken of it
    simulate: bool  # False: no tasks but those of the conversations
    writer: Literal["phrases", "model"]  # what words the users' requests
    judge: Literal["none", "model"]  # whether a model must understand a request as it is meant
    train: int = Field(ge=0)  # tasks for supervised warm-up
    explore: int = Field(ge=0)  # tasks for exploration, disjoint from train
    validation: int = Count
    test_seen: int = Count
    test_unseen: int = Count
    train_wording: float = Field(
        gt=0.0, le=1.0
    )  # share of the training phrases that training uses; the rest is new in validation
    new_wording: float = Share  # share of a validation or test request's parts that training words otherwise
    typos: float = Share  # share of the longer words that users of the exploration misspell
    unseen_tools: float = Share  # share of the tools that only the unseen test split shows
    validation_tools: float = Share  # share of the other tools that only half of the validation tasks show
    max_tools: int = Count  # candidate tools in one prompt
    train_irrelevant: float = Field(ge=0)  # weight of `irrelevant` in the mixture of training and exploration
    mixture: dict[str, Annotated[float, Field(ge=0)]]  # scenario of stages/synthesis/scenarios -> weight


class Training(Section):
    """What every training of the pipeline has in common. AdamW; its epsilon is 1e-8."""

    launcher: str  # what starts the stages that train: python, or accelerate launch with a file of conf/
    scheduler: Literal["linear", "cosine", "constant_with_warmup"]  # of the learning rate, after it has risen
    betas: list[Annotated[float, Field(ge=0.0, lt=1.0)]] = Field(min_length=2, max_length=2)  # of AdamW
    weight_decay: float = Field(ge=0.0)  # of AdamW
    max_grad_norm: float = Field(ge=0.0)  # a longer gradient is scaled down to this norm; 0: never


class Updates(Section):
    """How a model is updated."""

    seed: int = Seed
    learning_rate: float = Positive
    batch: int = Count  # answers an update
    warmup: float = Share  # share of the updates in which the learning rate rises


class Supervised(Updates):
    """Supervised fine-tuning."""

    epochs: int = Count


class Decay(Supervised):
    ratios: list[float] = Field(min_length=2)
    seeds: list[Annotated[int, Seed]] = Field(min_length=1)
    tasks: int = Count  # evaluated at every point, from the test splits
    bootstrap: int = Count


class Warmup(Supervised):
    epochs: int = Field(ge=0)  # 0: it0 is the base as it is
    easy_to_hard: bool
    self_evaluation: float = Field(ge=0.0, lt=1.0)  # share of the samples that ask "is this answer correct?"


class Selection(Section):
    seed: int = Seed
    draw: int = Count  # size of the replay buffer
    headroom: float = Field(ge=1.0)  # least number of tasks to choose from, for each one that is drawn
    calibration: float = Share  # 0: uniform draw; 1: by what validation gets wrong alone


class Exploration(Section):
    seed: int = Seed
    simulations: int = Count  # requests per tree
    samples: int = Count  # rollouts per request
    temperature: float = Positive
    c: float = Field(ge=0.0)  # exploration constant of PUCT
    self_evaluation: float = Field(ge=0.0)  # w of R = O + w*C
    wave: int = Count  # trees that grow at a time
    in_flight: int = Count  # requests of one tree at a time; more than one where tasks are few and the engine is large
    shard: int = Count  # tasks per resumable shard


class Fragments(Section):
    span: Literal["fragment", "rest", "response", "path"]  # how much of an answer a pair is about
    answers: Literal[
        "found", "reference", "both"
    ]  # to learn whole: the tree's right ones, references, these where none
    rehearse: bool  # learn the references of drawn tasks that are not explored, too
    thoughts: bool  # learn the thoughts of answers, too; false: they stand before what is learnt, like the prompt
    margin: float = Field(ge=0.0)  # least Q gap of span path, whose chosen side may be wrong
    visits: int = Count  # least visits of either sibling


class Preference(Updates):
    loss: Annotated[str, one_of([*PAIR_LOSSES, "sft"])]  # sft: the answers alone, without pairs
    beta: float = Positive
    simpo_margin: float = Field(ge=0.0)  # nats a token by which simpo wants chosen to exceed rejected
    sft: float = Field(ge=0.0)  # weight of the right answers' negative log-likelihood
    updates: int = Count
    checks: int = Count  # checkpoints among which validation picks


class Evaluation(Section):
    seed: int = Seed
    bootstrap: int = Count
    strict: bool  # strings compared exactly, or as the Berkeley leaderboard does


class Leaderboard(Section):
    """The Berkeley Function Calling Leaderboard, of which `categories` are asked."""

    models: dict[Annotated[str, Field(pattern=NAME)], str]  # more models to score: name -> folder
    categories: list[Annotated[str, one_of(CATEGORIES)]] = Field(min_length=1)
    max_length: int = Count  # tokens of a question; a longer one is not asked, and its answer is empty
    max_tokens: int = Count  # of an answer
    shard: int = Count  # questions that are saved, and resumed, together


class Report(Section):
    seed: int = Seed
    pairs: int = Count  # real pairs shown per iteration


class Iteration(Section):
    previous: str  # the model to start from: it0 or an iteration that stands above this one
    ratio: float = Field(gt=0.0, le=1.0)  # hardest share of the replay buffer that is explored


class Params(Section):
    model: Model
    engine: Engine
    synthesis: Synthesis
    writer: Writer
    training: Training
    decay: Decay
    warmup: Warmup
    selection: Selection
    exploration: Exploration
    fragments: Fragments
    preference: Preference
    evaluation: Evaluation
    leaderboard: Leaderboard
    report: Report
    iterations: dict[str, Iteration]

    def model_folder(self, name: str) -> str:
        """Where `base`, `it0` or an iteration's model lies. Raises UserError for a model that is none of them."""
        if name == "base":
            return self.model.path
        known = ("it0", *self.iterations)
        if name not in known:
            raise UserError(f"params.yaml: iterations: found no {name}; expected base, {', '.join(known)}")
        return paths.MODEL.format(name)

    def scored_folder(self, name: str) -> str:
        """Where a model that the leaderboard scores lies: one of leaderboard.models, or as `model_folder` says."""
        return self.leaderboard.models.get(name) or self.model_folder(name)

    def start_of(self, iteration: str) -> str:
        """The folder of the model with which an iteration starts. Raises UserError for an unknown iteration."""
        if iteration not in self.iterations:
            raise UserError(
                f"params.yaml: iterations: found no {iteration}; expected one of {', '.join(self.iterations)}"
            )
        return self.model_folder(self.iterations[iteration].previous)


def read(path: str | Path) -> dict[str, Any]:
    """The file's fields as DVC reads them: YAML 1.2, in which 5e-05 is a number. Raises OSError and YAMLError."""
    fields: dict[str, Any] = YAML(typ="safe", pure=True).load(Path(path))
    return fields


def load(path: str | Path = "params.yaml") -> Params:
    """Reads and validates the whole file.

    Raises UserError naming the file, the field, what was found and what was expected.
    """
    try:
        params = Params.model_validate(read(path))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "top level"
        if first["type"] == "extra_forbidden":
            raise UserError(f"{path}: {where}: unknown key") from None
        if first["type"] == "missing":
            raise UserError(f"{path}: {where}: missing") from None
        raise UserError(f"{path}: {where}: found {first['input']!r}; {first['msg'].lower()}") from None
    check_batches(params, path)
    check_iterations(params, path)
    return params


def check_batches(params: Params, path: str | Path) -> None:
    """Raises UserError when model.micro_batch does not divide the batch of every stage that trains, or the ranks that
    run cannot share it out alike.
    """
    micro = params.model.micro_batch
    batches = {"decay": params.decay.batch, "warmup": params.warmup.batch, "preference": params.preference.batch}
    for name, batch in batches.items():
        if micro and batch % micro:
            raise UserError(f"{path}: model.micro_batch: found {micro}; expected a divisor of {name}.batch, {batch}")
        together = (micro or 1) * ranks.count()
        if batch % together:
            sharing = f"{ranks.count()} processes, {micro or 'any number of'} sequences at a time"
            raise UserError(
                f"{path}: {name}.batch: found {batch}; expected a multiple of {together}, to be shared by {sharing}"
            )


def check_iterations(params: Params, path: str | Path) -> None:
    """Raises UserError for an iteration whose name cannot be a file's, or that starts from no model made before it."""
    models = ["it0"]
    for name, iteration in params.iterations.items():
        taken = ("base", *models, *TAKEN)
        if name in taken or not re.fullmatch(NAME, name):
            rule = "small letters, digits, - and _, beginning with a letter or digit"
            raise UserError(f"{path}: iterations: found the name {name!r}, expected {rule}, none of {', '.join(taken)}")
        if iteration.previous not in models:
            found = f"{path}: iterations.{name}.previous: found {iteration.previous!r}"
            raise UserError(f"{found}, expected one of {', '.join(models)}")
        models.append(name)
