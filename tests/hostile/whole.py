#!/usr/bin/env python3
"""Makes one small good file of each format: tests/hostile/whole.py FOLDER BUILD"""
import subprocess
import sys
import zipfile
from pathlib import Path

import build as b

folder, bin_ = Path(sys.argv[1]), Path(sys.argv[2])
folder.mkdir()
tar = b.tar(sorted(b.folder().items()))
files = {"plain.safetensors": b.safetensors(b.plain(), {"format": "pt"}), "small.gguf": b.gguf(), "stored.pt": b.torch(),
         "deflated.pt": b.torch(method=zipfile.ZIP_DEFLATED), "folder.tar": tar,
         "array.npy": b.npy(">f4", (2, 3), b.floats(6), fortran=True), "stored.npz": b.npz(),
         "deflated.npz": b.npz(zipfile.ZIP_DEFLATED), "legacy.pt": b.legacy(),
         "importance.dat": b.imatrix({"a.weight": (3, [1.0, 2.0, 0.5]), "b.weight": (1, [4.0])})}
files.update({"%s.safetensors" % name: b.safetensors(b.PACKED[name]) for name in ("gptq", "awq", "nf4", "nvfp4", "blocks")})
for name, data in files.items():
    (folder / name).write_bytes(data)


def written(name, source, *options):
    """A file of ours."""
    subprocess.run([bin_ / "phi-repack", "-q", *options, folder / source, "-o", folder / name], check=True)


written("ours.pt", "stored.pt")
written("ours.npz", "plain.safetensors", "--only", "[ab]*")
formats = subprocess.run([bin_ / "phi-repack", "--help"], capture_output=True, text=True, check=True).stdout
if "\n  stream" in formats:
    for name, options in {"stream.tar": [], "stream.tar.zst": ["-z"]}.items():
        made = subprocess.run([bin_ / "phi-repack", "-q", "-f", "stream", *options], input=tar, capture_output=True, check=True)
        (folder / name).write_bytes(made.stdout)
made = subprocess.run([bin_ / "phi-quant", "-q", "-t", "q8_0", "-f", "gguf"], input=tar, capture_output=True, check=True)
(folder / "phi3.gguf").write_bytes(made.stdout)
