"""Where an iteration's model comes from."""

from stages.errors import UserError
from stages.params import Params


def start_of(iteration: str, params: Params) -> str:
    """The folder of the model with which an iteration starts. Raises UserError for an unknown iteration."""
    if iteration not in params.iterations:
        raise UserError(
            f"params.yaml: iterations: found no {iteration}; expected one of {', '.join(params.iterations)}"
        )
    previous = params.iterations[iteration].previous
    return params.model.path if previous == "base" else f"data/models/{previous}"
