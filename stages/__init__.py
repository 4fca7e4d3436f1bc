"""iTool: one folder a phase, named after its DVC stage, and the common rooms that they share."""

import os

# Read once, when transformers is imported; it must never look for a model anywhere but here.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
