"""Runs stages one after the other in one process, each as `python -m` does, with something changed:

accelerate launch ... tests/patched_stage.py fsdp stages.warmup.run "stages.preference.run --iteration it1"
"""

import os
import runpy
import shlex
import sys


def fsdp() -> None:
    """Lets accelerate shard a model over processes without GPUs, which PyTorch can do and accelerate does not offer."""
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"

    import torch.distributed
    from accelerate.state import DistributedType, PartialState

    torch.distributed.init_process_group("gloo")
    PartialState._prepare_backend = lambda *_, **__: ("gloo", DistributedType.MULTI_GPU)


def fault() -> None:
    """The second process fails in its second pass, while the first one waits for its gradients."""
    from itool.errors import UserError
    from itool.training import ranks
    from itool.training.trainer import RowTrainer

    compute_loss = RowTrainer.compute_loss

    def failing(self: RowTrainer, *arguments: object, **options: object) -> object:
        if self.state.global_step == 1 and not ranks.is_main():
            raise UserError("found a fault in one process")
        return compute_loss(self, *arguments, **options)

    RowTrainer.compute_loss = failing


CHANGES = {"none": lambda: None, "fsdp": fsdp, "fault": fault}

if __name__ == "__main__":
    _, change, *commands = sys.argv
    CHANGES[change]()
    for command in commands:
        sys.argv = shlex.split(command)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
