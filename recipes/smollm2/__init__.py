"""The recipe of data/smollm2: SmolLM2-135M-Instruct, read from the package that ships it, as a Transformers folder."""
