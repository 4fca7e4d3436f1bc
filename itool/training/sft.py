"""Supervised fine-tuning on ready token ids with TRL's SFTTrainer."""

from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from itool import params
from itool.training.models import load_trainable, save
from itool.training.trainer import Curves, arguments, on_one_device, schedule, score_answers_only, train

Row = tuple[tuple[int, ...], tuple[int, ...]]
CURVES = {"loss": "loss", "mean_token_accuracy": "token_accuracy"}


class AnswerTrainer(SFTTrainer):
    def _send_telemetry(self) -> None:
        """Nothing leaves this machine."""


def finetune(
    rows: Sequence[Row],
    model: params.Model,
    out: str | Path,
    training: params.Training,
    engine: params.Engine,
    curves: str | Path | None = None,
    difficulty: Sequence[float] | None = None,
) -> None:
    """Fine-tunes the model of model.path on rows of (prompt ids, completion ids) and saves it to `out` [P].

    The loss is on the completion alone, which is used as it is: nothing is cut and no end token added. With
    `difficulty` (one a row) the first epoch goes from easy to hard. `curves`: a DVCLive folder.
    """
    lengths = [len(prompt) + len(completion) for prompt, completion in rows]
    order = schedule(lengths, training.epochs * len(rows), training.batch, training.seed, difficulty)
    samples = [
        {"input_ids": [*prompt, *completion], "labels": [-100] * len(prompt) + [*completion]}
        for prompt, completion in rows
    ]
    network, tokenizer = load_trainable(model.path, model, engine, training.seed)
    trainer = AnswerTrainer(
        model=network,
        args=on_one_device(
            SFTConfig(
                **arguments(training, model, engine, len(order), Path(out)),
                dataset_kwargs={"skip_prepare_dataset": True},
            )
        ),
        train_dataset=Dataset.from_list(samples).select(order),
        processing_class=tokenizer,
        callbacks=[Curves(Path(curves), CURVES)] if curves else [],
    )
    score_answers_only(network)
    # TRL's loss does, whatever the model takes. Else an update's passes weigh the same, of many tokens or of few.
    trainer.model_accepts_loss_kwargs = True
    train(trainer)
    save(network, tokenizer, out, engine)
