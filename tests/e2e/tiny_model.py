#!/usr/bin/env python3
"""Makes a Qwen3 model of 0.4 million random weights, with a tokenizer and a chat template; downloads nothing.

usage: tiny_model.py DIR     (run it with an interpreter that has torch, transformers and tokenizers: vLLM's own)

What it says is noise, but everything around that is as with a real model: the protocol, streaming, token counts.
"""

import pathlib
import sys
import sysconfig

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

VOCABULARY = 2048
CONTEXT = 8192
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# In Qwen3's vocabulary, yet part of the text: the reasoning parser looks for them there.
VISIBLE = ["<think>", "</think>"]
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    "{% endif %}"
)


def texts():
    """Something to learn a vocabulary from that every Python has: its own standard library."""
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    for file in sorted(library.glob("[a-h]*.py")):
        yield file.read_text(encoding="utf-8", errors="ignore")


def tokenizer() -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(CONTROL) - len(VISIBLE),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts(), trainer)
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    bpe.add_tokens([AddedToken(token, special=False, normalized=False) for token in VISIBLE])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=CONTEXT
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def model(end: int, pad: int) -> Qwen3ForCausalLM:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=64,  # vLLM's attention kernels for CPU know the usual sizes only
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        initializer_range=0.05,
    )
    made = Qwen3ForCausalLM(config).to(torch.bfloat16)
    made.generation_config = GenerationConfig(eos_token_id=[end, pad], pad_token_id=pad, do_sample=True, temperature=0.7)
    return made


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    words = tokenizer()
    words.save_pretrained(directory)
    made = model(words.eos_token_id, words.pad_token_id)
    made.save_pretrained(directory)
    weights = sum(parameter.numel() for parameter in made.parameters())
    print(f"{directory}: {weights} weights, {len(words)} tokens")


main()
