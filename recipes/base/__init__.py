"""The recipe of the embedded base model in data/base: procedurally invented tools, own tokenizer, easy-to-
hard training.
"""
