"""What every engine reads from a model folder before it opens it."""

from pathlib import Path

from transformers import AutoTokenizer, GenerationConfig

from stages.errors import UserError


def special_ids(model_dir: str | Path) -> tuple[list[int], int]:
    """Tokens that end a turn (those of the tokenizer and of the generation config) and a token to pad with, from a
    model folder.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(model_dir)
    except (OSError, ValueError) as error:
        raise UserError(f"{model_dir}: no tokenizer: {one_line(error)}") from None
    config = None
    if (Path(model_dir) / "generation_config.json").is_file():
        config = GenerationConfig.from_pretrained(model_dir).eos_token_id
    found = [tokenizer.eos_token_id, *(config if isinstance(config, list) else [config])]
    end_ids = sorted(dict.fromkeys(token for token in found if token is not None))
    if not end_ids:
        raise UserError(f"{model_dir}: tokenizer: no end-of-turn token; expected eos_token in tokenizer_config.json")
    return end_ids, end_ids[0] if tokenizer.pad_token_id is None else tokenizer.pad_token_id


def one_line(error: Exception) -> str:
    """The first line of an error's text, or its name."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
