"""The board's own code, in the environment of `make bfcl`, where nothing of this project can be imported.

python official.py questions CATEGORY...           prints the questions as models are asked them, a JSON a line
python official.py score FOLDER MODEL CATEGORY...  scores FOLDER/result/MODEL; writes FOLDER/score
"""

import json
import os
import sys
import tempfile
from types import ModuleType, SimpleNamespace

ROOT = "BFCL_PROJECT_ROOT"  # below which the board makes folders as soon as it is imported


def questions(*categories: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ[ROOT] = folder
        from bfcl_eval.utils import load_dataset_entry

        for category in categories:
            for entry in load_dataset_entry(category):
                print(json.dumps(entry))


def score(folder: str, model: str, *categories: str) -> None:
    os.environ[ROOT] = folder
    register(model)
    from bfcl_eval.eval_checker.eval_runner import main

    main([model], list(categories), "result", "score")


def register(model: str) -> None:
    """A registry of this model alone in the place of the board's, which imports the client of every vendor.

    Its handler is the board's own for models that call functions: it reads a list of {name: arguments as JSON}, and
    takes text for no call. Functions keep the dots in their names.
    """
    os.environ["OPENAI_API_KEY"] = "none"  # the handler makes a client, which nobody uses
    registry = ModuleType("bfcl_eval.constants.model_config")
    sys.modules[registry.__name__] = registry
    from bfcl_eval.model_handler.api_inference.openai_completion import OpenAICompletionsHandler

    config = SimpleNamespace(
        model_name=model,
        display_name=model,
        url="",
        org="",
        license="",
        model_handler=OpenAICompletionsHandler,
        input_price=None,
        output_price=None,
        is_fc_model=True,
        underscore_to_dot=False,
    )
    names = {model, model.replace("_", "/")}  # the board looks for either
    registry.MODEL_CONFIG_MAPPING = dict.fromkeys(names, config)  # type: ignore[attr-defined]


if __name__ == "__main__":
    _, action, *arguments = sys.argv
    if action == "questions":
        questions(*arguments)
    else:
        score(*arguments)
