"""What a language model makes of requests from phrases: how many it words faithfully, and how its texts differ.

    python -m benchmarks.writer --samples 100

It draws samples as synthesis does with the settings of params.yaml, has `writer.model` word them, and prints two tables
in Markdown: what became of the samples, and the texts of those that were kept, from phrases and from the model. Replies
are kept as those of synthesis are, so a second run asks nothing.
"""

import argparse
import random
import statistics
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from itool.chat import open_replies
from itool.cli import one_line_errors
from itool.log import start_logging
from itool.params import load
from itool.toolcall.prompt import open_prompter
from stages.synthesis.dedup import near_groups
from stages.synthesis.dialogue import Sample
from stages.synthesis.generate import synthesise
from stages.synthesis.lengths import Limits
from stages.synthesis.measure import diversity
from stages.synthesis.pool import load_pool
from stages.synthesis.programs import hold_out
from stages.synthesis.verify import Rejection
from stages.synthesis.writer import Prompts, Writer, said_by_user, with_written_values


def main(count: int, examples: int) -> None:
    settings = load()
    sizes = dict.fromkeys(("explore", "validation", "test_seen", "test_unseen"), 1) | {"train": count}
    params = settings.synthesis.model_copy(update=sizes)
    replies, prompts = open_replies(settings), Prompts()
    pool = with_written_values(load_pool(params.tools), replies, prompts)
    limits = Limits(open_prompter(settings.model.path, settings.model), settings.engine.max_tokens)
    drawn, _ = synthesise(params, pool, limits, hold_out(pool, params.unseen_tools, random.Random(params.seed)))
    samples = [sample for sample in drawn if sample.task.split == "train"]
    writer = Writer(replies, prompts, pool.entities, settings.writer.attempts, settings.writer.languages)
    worded = writer.word(samples)

    became = Counter(f"{each.layer}: {each.reason}" if isinstance(each, Rejection) else "kept" for each in worded)
    table = pd.DataFrame(became.most_common(), columns=["samples", "number"])
    print(table.assign(share=table["number"] / len(samples)).to_markdown(index=False, floatfmt=".2f"))
    pairs = [(before, after) for before, after in zip(samples, worded, strict=True) if isinstance(after, Sample)]
    if not pairs:
        return
    sides = {
        name: texts([pair[side] for pair in pairs]) for side, name in enumerate(("phrases", settings.writer.model))
    }
    print(pd.DataFrame({name: figures(said) for name, said in sides.items()}).to_markdown(floatfmt=".3f"))
    for before, after in pairs[:examples]:
        print(f"\n- {said_by_user(before)[-1]}\n  {said_by_user(after)[-1]}")
    print(f"\n{replies.costs}")


def texts(samples: Sequence[Sample]) -> list[str]:
    """The last message of each user."""
    return [said_by_user(sample)[-1] for sample in samples]


def figures(said: list[str]) -> dict[str, float]:
    """Words a text, shares of different n-grams, and the share of texts that are nearly as an earlier one."""
    groups = near_groups(said)
    return {
        "words": statistics.mean(len(text.split()) for text in said),
        **diversity(said),
        "near duplicates": 1 - len(set(groups)) / len(groups),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100, help="how many are drawn")
    parser.add_argument("--examples", type=int, default=5, help="how many pairs of texts are shown")
    start_logging()
    with one_line_errors():
        arguments = parser.parse_args()
        main(arguments.samples, arguments.examples)
