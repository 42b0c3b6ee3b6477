#!/usr/bin/env python3
"""The main job: the shipped checkpoint through the pipe, equal to the direct run, and libllama speaks with it."""
import os
import subprocess

import ggml
import peers

work = peers.scratch()
folder = peers.ROOT / "fixtures" / "phi-tiny"
env = {**os.environ, "PATH": f"{peers.TOOLS}:{os.environ['PATH']}"}


def shell(command):
    """Runs a line of shell with our tools on the path, shows it and its first lines; True if it ended well."""
    run = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=work, env=env, capture_output=True)
    print("$", command)
    for line in (run.stdout + run.stderr).decode(errors="replace").splitlines()[:12]:
        print("   ", line[:110])
    return peers.check(run.returncode == 0, command.split("|")[-1].strip(), f"status {run.returncode}")


for recipe in ("f32", "f16", "bf16", "q8_0"):
    piped = shell(f"phi-repack {folder} | phi-quant -t {recipe} | phi-repack -o piped-{recipe}.gguf")
    direct = shell(f"phi-quant -t {recipe} {folder} -o direct-{recipe}.gguf")
    if piped and direct:
        wrong = peers.first_difference(work / f"piped-{recipe}.gguf", work / f"direct-{recipe}.gguf")
        peers.check(not wrong, f"{recipe}: the piped file equals the direct one", wrong)
shell(f"phi-quant --pure -t q4_0 {folder} -o direct-q4_0.gguf")
shell("phi-inspect piped-q8_0.gguf")
shell(f"phi-diff --tolerance rel=0.02 {folder} piped-q8_0.gguf")

for recipe in ("f32", "q8_0", "q4_0"):
    try:
        model = ggml.Model(work / f"direct-{recipe}.gguf")
        for prompt, expected in (("The lighthouse", " stands on a small rock at the mouth of the bay."),
                                 ("<|user|>Where does the dog sleep?<|end|><|assistant|>",
                                  "The dog sleeps on the third step, so that everybody has to climb over him.")):
            said = model.text(model.greedy(model.tokenize(prompt), 24))
            print(f"    {prompt}[{said}]")
            peers.check(expected in said, f"{recipe}: speaks after {prompt!r}", said)
    except peers.Failure as e:
        peers.check(False, f"{recipe}: speaks", str(e))
peers.finish()
