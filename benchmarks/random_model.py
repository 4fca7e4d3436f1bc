"""A randomly initialised model of the shape of Qwen3-0.6B, for measuring speed: that does not need trained weights.

    python -m benchmarks.random_model tmp/qwen3-0.6b
    python -m benchmarks.exploration --engine vllm --model tmp/qwen3-0.6b

The tokenizer and chat template are those of data/base, filled up to Qwen3's vocabulary with tokens that no text has, so
that the projection to the vocabulary costs what it costs there. Answers are noise and run to engine.max_tokens.
"""

import argparse

import torch
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

VOCABULARY = 151_936


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where the model goes")
    folder = parser.parse_args().folder
    tokenizer = AutoTokenizer.from_pretrained("data/base")
    tokenizer.add_tokens([f"<|unused_{i}|>" for i in range(len(tokenizer), VOCABULARY)])
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="bfloat16",
    )
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
