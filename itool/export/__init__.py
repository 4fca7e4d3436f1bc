"""A trained model as a folder, or a GGUF file, that other tools can use."""
