"""The phases of iTool, one folder each, named after its DVC stage."""

import itool  # noqa: F401  # before transformers: it sets what that reads when it is imported
