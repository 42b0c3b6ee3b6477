#!/usr/bin/env python3
"""What llama.cpp and mlx-lm make of a model: speak.py FILE.gguf FOLDER-mlx PROMPT [EXPECTED]; status 1 if what either says
does not begin with EXPECTED."""
import sys

import peers
import ggml
from mlx_lm import generate, load

gguf, folder, prompt, *expected = sys.argv[1:]
model = ggml.Model(gguf)
said = {"llama.cpp": model.text(model.greedy(model.tokenize(prompt), 24))}
model, tokenizer = load(folder)
said["mlx-lm"] = generate(model, tokenizer, prompt=tokenizer.encode(prompt), max_tokens=24)
for runtime, text in said.items():
    print(f"{runtime}: {prompt}[{text}]")
if expected and not all(text.strip().startswith(expected[0]) for text in said.values()):
    raise SystemExit(f"{sys.argv[0]}: {expected[0]!r} was expected")
