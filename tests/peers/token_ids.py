"""What libllama makes of 300 texts with our file and with the converter's, and transformers with the folder."""
from transformers import AutoTokenizer
from transformers.utils import logging

import ggml
import peers
from texts import make

TEXTS = make()
logging.set_verbosity_error()


def check(name, folder, ours, theirs, marks=()):
    """The ids with our file and with the converter's are the same. Where transformers' are others they are counted and
    listed, and each such text has an added token in it: libllama keeps spaces that transformers takes away behind one,
    and the other way round; or is one of `marks`, which the runtime cuts before a combining mark."""
    have, want, tokenizer = ggml.Model(ours), ggml.Model(theirs), AutoTokenizer.from_pretrained(folder)
    ids = {t: have.tokenize(t) for t in TEXTS}
    unlike = [t for t in TEXTS if ids[t] != want.tokenize(t)]
    peers.check(not unlike, f"{name}: ids of {len(TEXTS)} texts are those of the converter's file", repr(unlike[:3]))
    others = [t for t in TEXTS if ids[t] != tokenizer(t, add_special_tokens=False).input_ids]
    print(f"       transformers gives {len(others)} of them other ids: " + ", ".join(map(repr, others)), flush=True)
    added = tokenizer.get_added_vocab()
    plain = [t for t in others if t not in marks and not any(a in t for a in added)]
    peers.check(not plain, f"{name}: transformers' ids of texts without added tokens", repr(plain[:3]))
