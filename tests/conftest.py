import sys
from pathlib import Path

import pytest

import stages  # noqa: F401  # before transformers: it sets what that reads when it is imported

sys.path.insert(0, str(Path(__file__).parent))
VLLM = {"server", "open_vllm"}  # the fixtures that start it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start vLLM are slow ones, whatever file they stand in. Files with slow tests come first, so that no
    process is left with a long one at the end.
    """
    for item in items:
        if VLLM & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
