"""300 texts for tokenizers: prose, code, many scripts, white space, special tokens, odd characters. Always the same."""
import random

ALPHABETS = ["abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", " ", " \t\n\r", ".,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+~`",
             "äöüßéèñçøåœ", "абвгдежзийклмн", "αβγδεζηθικλ", "一二三人大中国日本語漢字", "あいうえおカキクケコ", "한국어조선글",
             "אבגדהוז", "ابتثجحخ", "अआइईउऊ", "กขคงจ", "😀🎉👍🏽👩‍💻🇩🇪", "\u0301\u0308\u200d\u200b\ufeff\u00a0\u2028\u3000",
             "\u2581", "\x01\x1b\x7f\u0085", "𝔘𝔫𝔦𝕏𐍈", "ﬁﬂ①½²™"]

FIXED = ["", " ", "  ", "\n", "\n\n\n", "\t\t", " a", "a ", "  a  b  ", "Hello, world!", "The lighthouse stands on a small rock.",
         "def f(x):\n    return x ** 2  # squared\n", "for (int i = 0; i < n; ++i)\n\tsum += a[i];\n", "{\"a\": [1, 2.5, null]}",
         "SELECT * FROM t WHERE a='b';", "https://example.org/a?b=c&d=%20e#f", "3.14159 1,000,000 0x7fff 1e-9", "ÄÖÜ äöü ß",
         "naïve café", "Привет, мир", "こんにちは世界", "你好，世界", "안녕하세요", "שלום", "مرحبا", "नमस्ते", "สวัสดี", "🙂🙃 👨‍👩‍👧‍👦",
         "<s>", "</s>", "<unk>", "<|endoftext|>", "<|user|>\nHi<|end|>\n<|assistant|>\n", "a<|end|>b", "a <|end|> b", "<|end|>  x",
         "<|user|><|user|>", "<|END|>", "<|end|", "<0x0A>", "<0xFF> x", "[PAD32050]", "▁", "▁▁a", "a▁b", "\u0000", "a\u0000b",
         "\r\n", "a\r\nb", "don't we'll I'd", "x" * 300, "ab " * 100, "é", "e\u0301", "\ufffd", "𝔘𝔫𝔦", "\u200b", "...", "!!!???"]


def make(n=300):
    rng = random.Random(11)
    out = list(FIXED)
    while len(out) < n:
        text = ""
        for _ in range(rng.randint(1, 12)):
            letters = rng.choice(ALPHABETS)
            text += "".join(rng.choice(letters) for _ in range(rng.randint(1, 8))) + rng.choice(["", " ", " ", "  "])
        if rng.random() < 0.15:
            at = rng.randint(0, len(text))
            text = text[:at] + rng.choice(["<|end|>", "<|user|>", "<|endoftext|>", "<s>"]) + text[at:]
        out.append(text)
    return out[:n]


TEXTS = make()
