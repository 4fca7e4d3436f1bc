"""The chat templates of the recipes: macros that write tools as compact signatures, and a model's own turns."""

from pathlib import Path

RECIPES = Path(__file__).parent


def chat_template(model: str) -> str:
    """The chat template of the model that the folder recipes/<model> makes."""
    return (RECIPES / "messages.jinja").read_text() + (RECIPES / model / "chat_template.jinja").read_text()
