"""The base model's corpus: rendered dialogues are right, and it shares nothing but broad English with the API pool."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from random import Random

import pytest
import torch
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast

from itool.toolcall.dialects import DIALECTS
from recipes.base import phrasing, train, words
from recipes.base.corpus import LEVELS, dialogue
from recipes.base.train import Batches, Leg
from stages import synthesis

pythonic = DIALECTS["pythonic"]

ROOT = Path(__file__).parents[1]
POOL = [tool for path in sorted((ROOT / "data/tools").glob("*.json")) for tool in json.loads(path.read_text())["tools"]]
ENTITIES = json.loads((ROOT / "data/entities.json").read_text())
TALKS = [dialogue(3, Random(f"test/{i}")) for i in range(3000)]


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_learnt_calls_are_valid_for_their_tools(level: int) -> None:
    for i in range(200):
        talk = dialogue(level, Random(f"valid/{i}"))
        tools = {tool.name: tool for tool in talk.tools}
        turns = [message["content"] for message in talk.messages if message["role"] == "assistant"]
        assert len(turns) == len(talk.learned)
        for content, learned in zip(turns, talk.learned, strict=True):
            answer = pythonic.parse(content)
            for call in answer.calls if learned else ():
                assert set(call.arguments) <= set(tools[call.name].parameters["properties"])
                said = " ".join(message["content"] for message in talk.messages if message["role"] != "assistant")
                for value in call.arguments.values():
                    assert isinstance(value, bool | list | dict) or str(value).lower() in said.lower()


def test_samples_differ_in_their_tools() -> None:
    names = [tool.name for talk in TALKS for tool in talk.tools]
    assert len(set(names)) > 0.9 * len(names)


TOKENIZER = PreTrainedTokenizerFast.from_pretrained(ROOT / "data/base")


def test_workers_make_samples_of_their_own() -> None:
    def loader(workers: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        batches = Batches(TOKENIZER, Leg("test", 10**9, batch=2048, workers=workers))
        return iter(DataLoader(batches, batch_size=None, num_workers=workers))

    alone, two = loader(1), loader(2)
    first, second = next(two)[0], next(two)[0]
    assert torch.equal(first, next(alone)[0])
    assert not torch.equal(first, second)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_goes_through_the_levels_in_its_share_of_the_tokens(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = []
    monkeypatch.setattr(train, "dialogue", lambda level, rng: levels.append(level) or dialogue(level, rng))
    leg = Leg("test", 80_000, (0.0, 0.5, 1.0, 1.0), batch=1024, workers=workers)
    batches = iter(Batches(TOKENIZER, leg))
    seen = 0
    while 1 not in levels:
        seen += next(batches)[0].numel()
    assert 40_000 / workers <= seen < 80_000 / workers


def test_no_tool_and_no_description_is_shared() -> None:
    invented = {(tool.name, tuple(tool.parameters["properties"])) for talk in TALKS for tool in talk.tools}
    assert not invented & {(tool["name"], tuple(tool["parameters"]["properties"])) for tool in POOL}
    descriptions = {tool.description for talk in TALKS for tool in talk.tools}
    assert not descriptions & {tool["description"] for tool in POOL}


def plain(template: str) -> str:
    """A sentence template without its slots and final punctuation."""
    return re.sub(r"\{\w*\}", "", template.lower()).strip(" .?,")


def pool_templates() -> set[str]:
    """Every sentence template of the simulated users: lists with a side for train and one for test."""
    names = [module.name for module in walk_packages(synthesis.__path__, "stages.synthesis.")]
    values = [value for name in names for value in vars(import_module(name)).values()]
    lists = [value for value in values if isinstance(value, dict) and value.keys() == {"train", "test"}]
    sides = [side for each in lists for side in each.values() if isinstance(side, tuple)]
    return {template for side in sides for template in side if isinstance(template, str) and "{" in template}


def test_no_sentence_template_is_shared() -> None:
    base = {plain(template) for template in (*phrasing.LEADS, *phrasing.FRAMES, *phrasing.FURTHER, *phrasing.AGAIN)}
    pool = {plain(template) for template in pool_templates()}
    assert len(pool) > 30
    assert not (base & pool) - {""}


def test_no_list_of_entities_is_shared() -> None:
    """Single common words (green, lamp) are broad vocabulary; a kind of entity may not be covered by a list
    of the base.
    """
    base = {word.lower() for word in (*words.NOUNS, *words.ADJECTIVES, *words.VERBS)}
    for kind, sides in ENTITIES.items():
        values = [value.lower() for side in sides.values() for value in side]
        assert sum(value in base for value in values) < 0.5 * len(values), kind
