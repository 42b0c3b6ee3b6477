"""Pickles put together opcode by opcode: nothing here is ever run or loaded."""
import io
import struct
import zipfile


def text(s):
    """A short string as protocol 4 spells it."""
    s = s.encode() if isinstance(s, str) else s
    return b"\x8c" + bytes([len(s)]) + s if len(s) < 256 else b"X" + struct.pack("<I", len(s)) + s


def data(b):
    return b"B" + struct.pack("<I", len(b)) + b


def stack_global(module, name):
    return text(module) + text(name) + b"\x93"


def line_global(module, name):
    return b"c%s\n%s\n" % (module.encode(), name.encode())


def call4(module, name, *args):
    """Protocol 4: PROTO, STACK_GLOBAL, a tuple, REDUCE, STOP."""
    return b"\x80\x04" + reduce4(module, name, *args) + b"."


def reduce4(module, name, *args):
    return stack_global(module, name) + b"(" + b"".join(argument(a) for a in args) + b"tR"


def argument(a):
    return a if isinstance(a, bytes) else text(a)


def call0(module, name, *args):
    """Protocol 0: no head at all."""
    return line_global(module, name) + b"(" + b"".join(b"V%s\n" % a.encode() for a in args) + b"tR."


def call2(module, name, *args):
    return b"\x80\x02" + line_global(module, name) + b"(" + b"".join(
        b"X" + struct.pack("<I", len(a)) + a.encode() for a in args) + b"tR."


def inst(module, name, *args):
    return b"(" + b"".join(b"S'%s'\n" % a.encode() for a in args) + b"i%s\n%s\n." % (module.encode(), name.encode())


def obj(module, name, *args):
    return b"(" + line_global(module, name) + b"".join(b"S'%s'\n" % a.encode() for a in args) + b"o."


def newobj(module, name, *args):
    return b"\x80\x02" + line_global(module, name) + b"(" + b"".join(map(argument, args)) + b"t\x81."


def newobj_ex(module, name, *args):
    return b"\x80\x04" + stack_global(module, name) + b"(" + b"".join(map(argument, args)) + b"t}\x92."


def archive(entries, method=zipfile.ZIP_STORED, comment=b""):
    """A zip of (name, bytes); names may be double."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, body in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            z.writestr(info, body)
        z.comment = comment
    return out.getvalue()


def find_all(blob, what):
    at = blob.find(what)
    while at >= 0:
        yield at
        at = blob.find(what, at + 1)


def patched(blob, at, new):
    return blob[:at] + new + blob[at + len(new):]


def central(blob, offset, new):
    """Bytes in the first record of the central directory."""
    return patched(blob, blob.index(b"PK\1\2") + offset, new)


def npy(body, descr="|O", shape="(1,)"):
    head = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + body


LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02M\xe9\x03." + \
    b"\x80\x02}(X\x10\0\0\0protocol_versionM\xe9\x03X\x0d\0\0\0little_endian\x88u."


def legacy(body):
    """A torch file from before 1.6 around one pickle, without storages."""
    return LEGACY + body + b"\x80\x02]."


def tar(entries):
    import tarfile
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, body in entries:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            t.addfile(info, io.BytesIO(body))
    return out.getvalue()
