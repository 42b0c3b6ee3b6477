#!/usr/bin/env python3
"""What llama.cpp, mlx-lm and onnxruntime-genai make of models: speak.py PROMPT EXPECTED MODEL...; a model is FILE.gguf, a
folder with genai_config.json, or one of mlx-lm. Status 1 if what any says does not begin with EXPECTED."""
import sys
from pathlib import Path

import peers  # noqa: F401

TOKENS = 24


def llama_cpp(file, prompt):
    import ggml
    model = ggml.Model(file)
    return model.text(model.greedy(model.tokenize(prompt), TOKENS))


def mlx_lm(folder, prompt):
    from mlx_lm import generate, load
    model, tokenizer = load(folder)
    return generate(model, tokenizer, prompt=tokenizer.encode(prompt), max_tokens=TOKENS)


def onnxruntime_genai(folder, prompt):
    import onnxruntime_genai as genai
    model = genai.Model(folder)
    tokenizer, params = genai.Tokenizer(model), genai.GeneratorParams(model)
    ids = tokenizer.encode(prompt)
    params.set_search_options(max_length=len(ids) + TOKENS, do_sample=False)
    generator = genai.Generator(model, params)
    generator.append_tokens(ids)
    while not generator.is_done():
        generator.generate_next_token()
    return tokenizer.decode(generator.get_sequence(0)[len(ids):])


def speaker(model):
    if model.endswith(".gguf"):
        return llama_cpp
    return onnxruntime_genai if (Path(model) / "genai_config.json").exists() else mlx_lm


prompt, expected, *models = sys.argv[1:]
said = []
for model in models:
    speak = speaker(model)
    said.append(speak(model, prompt))
    print(f"{speak.__name__.replace('_', '-')}: {prompt}[{said[-1]}]")
if not all(text.strip().startswith(expected) for text in said):
    raise SystemExit(f"{sys.argv[0]}: {expected!r} was expected")
