"""What supervised and preference training share: arguments, order of samples, curves, a cheap head on the CPU."""

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from dvclive import Live
from peft import PeftModel
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from trl.trainer.utils import FusedCausalLMOutput

from itool import params
from itool.log import log
from itool.training.models import write

WINDOW = 16  # batches among which samples are grouped by length


def schedule(
    lengths: Sequence[int], samples: int, batch: int, seed: int, difficulty: Sequence[float] | None = None
) -> list[int]:
    """Indices of `samples` samples, epoch after epoch, so that samples of like length share a batch [O].

    Every epoch is shuffled, but with `difficulty` (one a sample) the first goes from easy to hard [P]; the last one may
    end early. In each window of a few batches the samples are sorted by length, cut into batches, and the batches
    shuffled.
    """
    chance = random.Random(f"{seed}/schedule")
    order: list[int] = []
    while len(order) < samples:
        indices = list(range(len(lengths)))
        chance.shuffle(indices)
        if difficulty is not None and not order:
            indices.sort(key=difficulty.__getitem__)
        order += indices
    del order[samples:]
    grouped = []
    for start in range(0, len(order), WINDOW * batch):
        window = sorted(order[start : start + WINDOW * batch], key=lengths.__getitem__)
        batches = [window[i : i + batch] for i in range(0, len(window), batch)]
        # A short batch must stay last, or all batches after it are cut elsewhere.
        tail = [batches.pop()] if len(batches[-1]) < batch else []
        chance.shuffle(batches)
        grouped += [index for indices in batches + tail for index in indices]
    return grouped


def arguments(
    settings: params.Training | params.Preference, model: params.Model, engine: params.Engine, samples: int, out: Path
) -> dict[str, Any]:
    """The keywords of TRL's SFTConfig and DPOConfig for one pass over `samples` samples in the order given.

    TRL's defaults that would spoil the loss or the artifacts are all set: bf16, gradient checkpointing, truncation,
    checkpoints.
    """
    updates = -(-samples // settings.batch)
    micro_batch = model.micro_batch or settings.batch
    return {
        "output_dir": str(out),
        "seed": settings.seed,
        "num_train_epochs": 1,
        "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": settings.batch // micro_batch,
        "learning_rate": settings.learning_rate,
        "warmup_steps": round(settings.warmup * updates),
        "max_length": None,
        "bf16": engine.dtype == "bfloat16",
        "fp16": engine.dtype == "float16",
        "use_cpu": not torch.cuda.is_available(),  # as the engine does; bf16 is refused on a CPU otherwise
        "gradient_checkpointing": model.checkpointing,
        "save_strategy": "no",
        "report_to": [],
        "logging_steps": max(1, updates // 100),
        "disable_tqdm": not sys.stderr.isatty(),
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def on_one_device(config: TrainingArguments) -> Any:
    """The config for a single device: with several GPUs, the Trainer would give each of them a batch of its own."""
    config._n_gpu = min(config.n_gpu, 1)
    return config


class Curves(TrainerCallback):
    """Writes what the Trainer logs to a DVCLive folder. `names`: the Trainer's name of a metric -> its name there.

    Nothing that differs between two runs is written: no time, no rate, no memory.
    """

    def __init__(self, folder: Path, names: dict[str, str]) -> None:
        self.live = Live(str(folder), dvcyaml=False, save_dvc_exp=False)
        self.names = names

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" not in logs:  # the summary at the end, which is about time
            return
        self.live.step = state.global_step
        for name, ours in self.names.items():
            if name in logs:  # a batch without pairs has none of their figures
                self.live.log_metric(ours, logs[name])
        self.live.make_summary()
        if state.global_step * 10 // state.max_steps > (state.global_step - args.logging_steps) * 10 // state.max_steps:
            log.info("update %d of %d: loss %.4f", state.global_step, state.max_steps, logs["loss"])

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.live.end()


class Checkpoints(TrainerCallback):
    """Writes the model to out/1, out/2, ... at `checks` evenly spaced moments of the training, the last at its end."""

    def __init__(self, out: Path, checks: int, updates: int, tokenizer: PreTrainedTokenizerBase) -> None:
        self.folders = {-(-updates * check // checks): out / str(check) for check in range(1, checks + 1)}
        self.tokenizer = tokenizer

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step in self.folders:
            write(model, self.tokenizer, self.folders[state.global_step])


def train(trainer: Trainer) -> None:
    """Trains to the end, quietly."""
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def score_answers_only(model: Any) -> None:
    """Makes TRL's fused head, `model(..., labels=labels, fused_lm_head=True)`, cheap on a CPU, and only there [O].

    TRL skips the positions without label on Triton devices only; elsewhere it projects the whole prompt on the
    vocabulary, which costs a small model nearly half of its step. Here the model's own head sees labelled positions
    alone. Batches are padded on the right, where the causal mask alone keeps the padding out, so the slower attention
    mask is left out too.
    """
    if model.device.type != "cpu":
        return
    causal: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    inner, head = causal.forward, causal.get_output_embeddings()

    def forward(*args: Any, fused_lm_head: bool = False, labels: torch.Tensor | None = None, **kwargs: Any) -> Any:
        if not fused_lm_head:
            return inner(*args, labels=labels, **kwargs)
        assert labels is not None
        labels = labels[:, 1:]  # [B, L-1]
        mask = labels != -100  # N of them
        kwargs.pop("attention_mask", None)
        hook = head.register_forward_pre_hook(lambda _, inputs: inputs[0][:, :-1][mask][None])  # [1, N, H]
        try:
            output = inner(*args, **kwargs)
        finally:
            hook.remove()
        logits = output.logits[0].float()  # [N, V]
        logprobs = logits.log_softmax(-1)

        def spread(kept: torch.Tensor) -> torch.Tensor:
            """[N] -> [B, L-1], zero where there is no label."""
            return kept.new_zeros(mask.shape).masked_scatter(mask, kept)

        return FusedCausalLMOutput(
            log_probs=spread(logprobs.gather(-1, labels[mask][:, None])[:, 0]),
            entropy=spread(-(logprobs.detach().exp() * logprobs.detach()).sum(-1)),
            mean_logits=spread(logits.detach().mean(-1)),
            is_top1=spread(logits.detach().argmax(-1) == labels[mask]),
            label_mask=mask,
            aux_loss=getattr(output, "aux_loss", None),
        )

    causal.forward = forward
