"""Training, the same for supervised fine-tuning and for preferences: a `transformers.Trainer` over rows.

It overrides what the Trainer documents for that: compute_loss, get_batch_samples and log.
"""

import gc
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainingArguments
from transformers.integrations.deepspeed import unset_hf_deepspeed_config
from transformers.trainer_callback import PrinterCallback

from itool.log import log
from itool.params import Engine, Params, Preference, Updates
from itool.training import ranks
from itool.training.losses import PAIR_LOSSES, negative_log_likelihood
from itool.training.models import load_trainable, write
from itool.training.rows import Collator, Row, Samples
from itool.training.scoring import Scorer, check_branches, pair_scores, score, with_reference

# What is written of a training, where it has it: grad_norm before clipping, the rest as RowTrainer names it.
CURVES = (
    "loss",
    "grad_norm",
    "answer_nll",
    "token_accuracy",
    "pair_loss",
    "chosen_logprob",
    "rejected_logprob",
    "margin",
    "accuracy",
)


@contextmanager
def memory_released() -> Iterator[None]:
    """Frees what a decorated function has left behind when it returns.

    The Trainer, its callbacks and the network refer to each other. Until Python looks for such cycles, weights,
    gradients and moments would stay on the device while the next model is loaded. And where DeepSpeed shared out the
    network, Transformers would share out that model, too, which the main rank loads alone.
    """
    yield
    gc.collect()
    torch.cuda.empty_cache()
    unset_hf_deepspeed_config()


@memory_released()
def train(
    rows: Sequence[Row],
    start: str | Path,
    out: str | Path,
    params: Params,
    settings: Updates,
    order: Sequence[int],
    checks: int = 1,
    curves: str | Path | None = None,
) -> list[Path]:
    """Trains the model of the folder `start` on rows[order[0]], rows[order[1]], ..., settings.batch of them an update.

    The main rank writes the model to out/1, out/2, ... at `checks` evenly spaced moments, the last at the end. Returns
    those folders. Supervised fine-tuning [P] minimises the mean negative log-likelihood of an update's learnt tokens.
    With settings of preference training this has the weight settings.sft [O], and the loss of each pair is added; the
    pairs' reference is the model of `start`. `curves`: a DVCLive folder. Raises UserError for a model to which a branch
    is not what the same text alone would be.
    """
    ranks.join()
    network, tokenizer = load_trainable(start, params.model, params.engine, settings.seed)
    args = OneDevice(**options(params, settings, len(order), out))
    collator = Collator(tokenizer.pad_token_id)
    samples = Samples(rows, order, args.per_device_train_batch_size * ranks.count() if ranks.count() > 1 else 1)
    trainer = RowTrainer(settings, model=network, args=args, data_collator=collator, train_dataset=samples)
    trainer.remove_callback(PrinterCallback)
    checkpoints = Checkpoints(Path(out), checks, -(-len(order) // settings.batch), tokenizer, trainer)
    trainer.add_callback(Reference(samples, collator, params.engine, start))
    trainer.add_callback(checkpoints)
    if curves and ranks.is_main():
        trainer.add_callback(Curves(Path(curves)))
    trainer.train()
    return list(checkpoints.folders.values())


class OneDevice(TrainingArguments):
    """Arguments for one device a rank: with several GPUs, the Trainer would give each of them a batch of its own."""

    @property
    def n_gpu(self) -> int:
        return min(super().n_gpu, 1)


def options(params: Params, settings: Updates, samples: int, out: str | Path) -> dict[str, Any]:
    """The TrainingArguments of one pass over `samples` samples in the order given."""
    updates = -(-samples // settings.batch)
    micro_batch = params.model.micro_batch or settings.batch // ranks.count()
    training = params.training
    return {
        "output_dir": str(out),
        "seed": settings.seed,
        "num_train_epochs": 1,
        "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": settings.batch // (micro_batch * ranks.count()),
        "learning_rate": settings.learning_rate,
        "warmup_steps": round(settings.warmup * updates),
        "lr_scheduler_type": training.scheduler,
        "adam_beta1": training.betas[0],
        "adam_beta2": training.betas[1],
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "bf16": params.engine.dtype == "bfloat16",
        "fp16": params.engine.dtype == "float16",
        "use_cpu": not torch.cuda.is_available(),  # as the engine does; bf16 is refused on a CPU otherwise
        "ddp_find_unused_parameters": False,  # every pass uses all that is trained
        "gradient_checkpointing": params.model.checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},  # else a frozen embedding would cut the gradient off
        "save_strategy": "no",
        "report_to": [],
        "logging_steps": max(1, updates // 100),
        "disable_tqdm": not (sys.stderr.isatty() and ranks.is_main()),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "remove_unused_columns": False,  # rows are no columns
    }


class RowTrainer(Trainer):
    """A Trainer whose loss is that of rows. Its figures are exact means, however many passes on however many ranks make
    an update.
    """

    loss_is_scaled_for_ga = True  # each pass of an update returns its share of the update's loss

    def __init__(self, settings: Updates, **options: Any) -> None:
        super().__init__(**options)
        self.settings = settings
        self.passes = 1  # of the present update, on all ranks
        self.sums: defaultdict[str, list[tuple[Tensor, Tensor | float]]] = defaultdict(list)  # with their weights

    def get_batch_samples(self, *args: Any, **options: Any) -> tuple[list[dict[str, Tensor]], Tensor]:
        """This rank's passes of the next update, and how many tokens the update learns on all ranks."""
        passes, _ = super().get_batch_samples(*args, **options)
        self.passes = len(passes) * ranks.count()
        learnt = torch.stack([batch["learnt"].sum() for batch in passes]).sum()
        return passes, self.accelerator.reduce(learnt, "sum").clamp(min=1)

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """The pass's share of the loss of an update that learns `num_items_in_batch` tokens, times the number of ranks,
        over which gradients and logged losses are averaged.
        """
        logprobs, likeliest = score(model, inputs)
        learnt = inputs["learnt"]
        nll = negative_log_likelihood(logprobs, learnt, num_items_in_batch)
        self._count("token_accuracy", likeliest[learnt].sum(), learnt.sum())
        if not isinstance(self.settings, Preference):
            return nll * ranks.count()
        pair_loss = self._pair_loss(logprobs, inputs, self.settings) if len(inputs["reference"]) else nll.new_zeros(())
        self._count("answer_nll", nll, 1 / self.passes)
        self._count("pair_loss", pair_loss, 1 / self.passes)
        return (self.settings.sft * nll + pair_loss) * ranks.count()

    def _pair_loss(self, logprobs: Tensor, inputs: dict[str, Tensor], settings: Preference) -> Tensor:
        """The sum of the pairs' losses over the answers of an update: every pair weighs the same in every batch."""
        scores = pair_scores(logprobs, inputs)
        chosen, rejected = scores.log_ratios
        margins = settings.beta * (chosen - rejected)
        self._count("chosen_logprob", scores.chosen.sum(), len(margins))
        self._count("rejected_logprob", scores.rejected.sum(), len(margins))
        self._count("margin", margins.sum(), len(margins))
        self._count("accuracy", (margins > 0).sum(), len(margins))
        return PAIR_LOSSES[settings.loss](scores, settings).sum() / settings.batch

    def _count(self, name: str, total: Tensor, weight: Tensor | float) -> None:
        self.sums[name].append((total.detach(), weight))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Logs the means of the figures since the last log, too."""
        mine = {name: [float(sum(part)) for part in zip(*each, strict=True)] for name, each in self.sums.items()}
        self.sums.clear()
        everyone = gather_object([mine])
        for name in CURVES:
            parts = [each[name] for each in everyone if name in each]
            total, weight = sum(total for total, _ in parts), sum(weight for _, weight in parts)
            if weight:
                logs[name] = total / weight
        super().log(logs, start_time)


class Reference(TrainerCallback):
    """Scores the pairs of the samples before the first update, with the network where it is trained: a large one may
    lie on all ranks together.
    """

    def __init__(self, samples: Samples, collator: Collator, engine: Engine, start: str | Path) -> None:
        self.samples, self.collator, self.engine, self.start = samples, collator, engine, start

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        scorer, samples = Scorer(model, self.collator, self.engine, args.device), self.samples
        check_branches(scorer, samples.rows, self.start)
        samples.rows = with_reference(scorer, samples.rows, samples.order, args.per_device_train_batch_size)


class Curves(TrainerCallback):
    """Writes CURVES to a DVCLive folder.

    Nothing that differs between two runs is written: no time, no rate, no memory.
    """

    def __init__(self, folder: Path) -> None:
        from dvclive.live import Live  # more than a second to import

        self.live = Live(str(folder), dvcyaml=False, save_dvc_exp=False)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" not in logs:  # the summary at the end, which is about time
            return
        self.live.step = state.global_step
        for name in CURVES:
            if name in logs:
                self.live.log_metric(name, logs[name])
        self.live.make_summary()
        if state.global_step * 10 // state.max_steps > (state.global_step - args.logging_steps) * 10 // state.max_steps:
            log.info("update %d of %d: loss %.4f", state.global_step, state.max_steps, logs["loss"])

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.live.end()


class Checkpoints(TrainerCallback):
    """Writes the model to out/1, out/2, ... at `checks` evenly spaced moments of the training, the last at its end."""

    def __init__(
        self, out: Path, checks: int, updates: int, tokenizer: PreTrainedTokenizerBase, trainer: Trainer
    ) -> None:
        self.folders = {-(-updates * check // checks): out / str(check) for check in range(1, checks + 1)}
        self.tokenizer, self.trainer = tokenizer, trainer

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step not in self.folders:
            return
        weights = self.trainer.accelerator.get_state_dict(self.trainer.model_wrapped)  # of all ranks together
        if ranks.is_main():
            write(model, self.tokenizer, self.folders[state.global_step], weights)
