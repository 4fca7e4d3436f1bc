"""iTool: what the phases in `stages/` share: tool calls, engines, training, formats, artifacts and parameters."""

import os

# Read once, when transformers is imported; it must never look for a model anywhere but here.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
