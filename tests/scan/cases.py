"""Files for phi-inspect --scan: (name, bytes or {path: bytes}, exit status, a rule that must be found or None).

Every bypass published against picklescan, fickling and modelscan that we know of is here, rebuilt from what its
advisory, issue or test says, with a harmless argument. The files are made of opcodes; nothing in them is run."""
import base64
import gzip
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "hostile"))
import build  # noqa: E402
from pickles import *  # noqa: E402,F403

EVIL = call4("os", "system", "echo x")
EVIL2 = call2("posix", "system", "echo x")

# ---- gadgets: a function that was not on a list of bad ones -------------------------------------------

# picklescan's advisories. Those without a name of their own are described under one that has it.
PICKLESCAN = {
    "GHSA-655q-fx9r-782v": ("pip", "main"),                       # CVE-2025-1716
    "GHSA-v7x6-rv5q-mhwc": ("timeit", "timeit"),                  # CVE-2025-71351
    "GHSA-fj43-3qmq-673f": ("numpy.testing._private.utils", "runstring"),  # CVE-2025-71355
    "GHSA-3gf5-cxq9-w223": ("idlelib.pyshell", "ModifiedInterpreter.runcode"),
    "GHSA-3vg9-h568-4w9m": ("idlelib.debugobj", "ObjectTreeItem.SetText"),
    "GHSA-4675-36f9-wf6r": ("ctypes", "CDLL"),
    "GHSA-46h3-79wf-xr6c": ("_operator", "attrgetter"),
    "GHSA-49gj-c84q-6qm9": ("cProfile", "run"),
    "GHSA-4r9r-ch6f-vxmx": ("torch.utils.bottleneck.__main__", "run_cprofile"),
    "GHSA-4whj-rm5r-c2v8": ("torch.utils.bottleneck.__main__", "run_autograd_prof"),
    "GHSA-5qwp-399c-mjwf": ("trace", "Trace.run"),
    "GHSA-6556-fwc2-fg2p": ("numpy.f2py.crackfortran", "_eval_length"),
    "GHSA-6vqj-c2q5-j97w": ("profile", "Profile.runctx"),
    "GHSA-6w4w-5w54-rjvr": ("idlelib.autocomplete", "AutoComplete.get_entity"),
    "GHSA-7cq8-mj8x-j263": ("idlelib.autocomplete", "AutoComplete.fetch_completions"),
    "GHSA-7wx9-6375-f5wh": ("profile", "run"),
    "GHSA-84r2-jw7c-4r5q": ("pydoc", "locate"),
    "GHSA-86cj-95qr-2p4f": ("torch._dynamo.guards", "GuardBuilder.get"),
    "GHSA-8r4j-24qv-fmq9": ("idlelib.calltip", "Calltip.fetch_tip"),
    "GHSA-955r-x9j8-7rhh": ("_operator", "methodcaller"),
    "GHSA-9w88-8rmg-7g2p": ("cProfile", "runctx"),
    "GHSA-9xph-j2h6-g47v": ("idlelib.calltip", "get_entity"),
    "GHSA-cj3c-v495-4xqh": ("code", "InteractiveInterpreter.runcode"),
    "GHSA-f4x7-rfwp-v3xw": ("torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression"),
    "GHSA-f54q-57x4-jg88": ("lib2to3.pgen2.grammar", "Grammar.loads"),
    "GHSA-f745-w6jp-hpxx": ("torch.utils.collect_env", "run"),
    "GHSA-fqq6-7vqf-w3fg": ("doctest", "debug_script"),
    "GHSA-g344-hcph-8vgg": ("trace", "Trace.runctx"),
    "GHSA-g38g-8gr9-h9xp aix": ("_aix_support", "_read_cmd_output"),
    "GHSA-g38g-8gr9-h9xp imaplib": ("imaplib", "IMAP4_stream"),
    "GHSA-g38g-8gr9-h9xp osx": ("_osx_support", "_read_output"),
    "GHSA-g38g-8gr9-h9xp osx tool": ("_osx_support", "_find_build_tool"),
    "GHSA-g38g-8gr9-h9xp pager": ("_pyrepl.pager", "pipe_pager"),
    "GHSA-g38g-8gr9-h9xp tempfile pager": ("_pyrepl.pager", "tempfile_pager"),
    "GHSA-g38g-8gr9-h9xp test": ("test.support.script_helper", "assert_python_ok"),
    "GHSA-g38g-8gr9-h9xp uuid": ("uuid", "_get_command_stdout"),
    "GHSA-h3qp-7fh3-f8h4": ("torch.utils.data.datapipes.utils.decoder", "basichandlers"),
    "GHSA-hgrh-qx5j-jfwx": ("ssl", "get_server_certificate"),
    "GHSA-j343-8v2j-ff7w": ("idlelib.pyshell", "ModifiedInterpreter.runcommand"),
    "GHSA-f7qq-56ww-84cr": ("asyncio.unix_events", "_UnixSubprocessTransport._start"),  # CVE-2025-10157
    "GHSA-jgw4-cr84-mqxg": ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
    "GHSA-jhph-76pp-mggw": ("torch.utils.collect_env", "run_and_read_all"),
    "GHSA-m273-6v24-x4m4": ("distutils.file_util", "write_file"),
    "GHSA-m869-42cg-3xwr": ("idlelib.run", "Executive.runcode"),
    "GHSA-p9w7-82w4-7q8m": ("lib2to3.pgen2.pgen", "ParserGenerator.make_label"),
    "GHSA-q77w-mwjj-7mqx": ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
    "GHSA-r8g5-cgf2-4m4m": ("numpy.f2py.crackfortran", "getlincoef"),
    "GHSA-vqmv-47xg-9wpr": ("pty", "spawn"),
    "GHSA-vr7h-p6mm-wpmh": ("torch.jit.unsupported_tensor_ops", "execWrapper"),
    "GHSA-vv6j-3g6g-2pvj": ("torch.utils._config_module", "ConfigModule.load_config"),
    "GHSA-vvpj-8cmc-gx39": ("pkgutil", "resolve_name"),
    "GHSA-x696-vm39-cp64": ("profile", "Profile.run"),
    "GHSA-xp4f-hrf8-rxw7": ("ensurepip", "_run_pip"),
    "GHSA-m7j5-r2p5-c39r": ("cloudpickle.cloudpickle", "_make_function"),
    "GHSA-9m3x-qqw2-h32h": ("logging", "FileHandler"),
    "GHSA-9726-w42j-3qjr": ("_io", "FileIO"),
    "GHSA-97f8-7cmv-76j2": ("urllib.request", "urlopen"),
}
FICKLING = {
    "GHSA-r7v6-mfhq-g3m2": ("pty", "spawn"),
    "GHSA-565g-hwwr-4pp3 marshal": ("marshal", "loads"),
    "GHSA-565g-hwwr-4pp3 types": ("types", "FunctionType"),
    "GHSA-wfq2-52f7-7qvj": ("runpy", "run_path"),
    "GHSA-wfq2-52f7-7qvj module": ("runpy", "run_module"),
    "GHSA-p523-jq9w-64x9": ("cProfile", "run"),
    "GHSA-5hvc-6wx8-mvv4": ("ctypes", "CDLL"),
    "GHSA-5hvc-6wx8-mvv4 pydoc": ("pydoc", "locate"),
    "GHSA-q5qq-mvfm-j35x": ("importlib", "import_module"),
    "GHSA-q5qq-mvfm-j35x code": ("code", "InteractiveInterpreter"),
    "GHSA-q5qq-mvfm-j35x spawnv": ("multiprocessing.util", "spawnv_passfds"),
    "GHSA-h4rm-mm56-xf63": ("builtins", "__import__"),
    "GHSA-5hwf-rc88-82xm": ("uuid", "_get_command_stdout"),
    "GHSA-5j3x-jp52-966f": ("pathlib", "os.system"),
    "GHSA-cffv-grgg-g429": ("ast", "parse"),
    "GHSA-6ggj-6f2q-f7mx": ("_interpreters", "create"),
    "GHSA-6ggj-6f2q-f7mx before 3.13": ("_xxsubinterpreters", "create"),
    "GHSA-m6fh-58r7-x697": ("_posixsubprocess", "fork_exec"),
    "GHSA-m6fh-58r7-x697 site": ("site", "execsitecustomize"),
    "GHSA-m6fh-58r7-x697 atexit": ("atexit", "_run_exitfuncs"),
    **{"network " + m: (m, n) for m, n in (("smtplib", "SMTP"), ("imaplib", "IMAP4"), ("ftplib", "FTP"), ("poplib", "POP3"),
                                           ("telnetlib", "Telnet"), ("nntplib", "NNTP"), ("socketserver", "TCPServer"),
                                           ("xmlrpc.client", "ServerProxy"))},
    **{"scanner " + m: (m, n) for m, n in (("fickling.hook", "remove_hook"), ("picklescan.scanner", "scan_bytes"),
                                           ("modelscan.modelscan", "ModelScan"), ("modelaudit", "scan"))},
}
# modelscan's issues 267, 338; proofs of concept on Hugging Face against picklescan 1.0.4 and modelscan 0.8.8.
OTHERS = {
    "mlflow": ("mlflow.projects.backend.local", "_run_entry_point"),
    "pandas csv": ("pandas.io.parsers.readers", "read_csv"),
    "urlretrieve": ("urllib.request", "urlretrieve"),
    "pickle.loads": ("pickle", "loads"),
    "getattr_static": ("inspect", "getattr_static"),
    "distutils.spawn": ("distutils.spawn", "spawn"),
    "codecs.open": ("codecs", "open"),
    "io.open": ("io", "open"),
    "http.client": ("http.client", "HTTPSConnection"),
    "_bootsubprocess": ("_bootsubprocess", "check_output"),
    "operator.getitem": ("operator", "getitem"),
    "weakref.finalize": ("weakref", "finalize"),
    "py_compile": ("py_compile", "compile"),
    "mmap": ("mmap", "mmap"),
    "dbm": ("dbm", "open"),
    "glob": ("glob", "glob"),
    "syslog": ("syslog", "syslog"),
    "linecache": ("linecache", "getline"),
    "pipes": ("pipes", "Template"),
    "commands": ("commands", "getoutput"),
    "webbrowser": ("webbrowser", "open"),
    "venv": ("venv", "create"),
    "runpy": ("runpy", "_run_code"),
    "compile_file": ("torch._inductor.codecache", "compile_file"),
    "torch.load": ("torch.serialization", "load"),
    "torch.hub": ("torch.hub", "load"),
    "partial": ("functools", "partial"),
    "requests": ("requests.api", "get"),
    "aiohttp": ("aiohttp.client", "ClientSession"),
    "socket": ("socket", "create_connection"),
    "bdb": ("bdb", "Bdb.run"),
    "sys.exit": ("sys", "exit"),
    "defaultdict's mate": ("itertools", "starmap"),
}
# On no list at all: suspicious, since weights do not need them.
UNLISTED = {
    "getpass": ("getpass", "getuser"), "resource": ("resource", "setrlimit"), "lzma": ("lzma", "open"),
    "gzip": ("gzip", "open"), "minidom": ("xml.dom.minidom", "parse"), "own": ("evil.module", "run"),
    "training args": ("transformers.training_args", "TrainingArguments"), "torch.nn": ("torch.nn.modules.linear", "Linear"),
    "numpy.prod": ("numpy", "prod"), "load_from_bytes": ("torch.storage", "_load_from_bytes"),
}


def gadgets():
    forms = (("0", call0), ("2", call2), ("4", call4), ("inst", inst), ("obj", obj), ("newobj", newobj),
             ("newobj_ex", newobj_ex))
    for group, table in (("picklescan", PICKLESCAN), ("fickling", FICKLING), ("others", OTHERS)):
        for what, (module, name) in table.items():
            for form, make in forms:
                yield "%s %s, form %s" % (group, what, form), make(module, name, "x"), 1, (
                    "pickle.global.odd" if module == "pathlib" else "pickle.global.dangerous")
    for what, (module, name) in UNLISTED.items():
        for form, make in forms:
            yield "unlisted %s, form %s" % (what, form), make(module, name, "x"), 1, "pickle.global.unknown"


# ---- what a scanner that looks at opcodes one by one does not see ---------------------------------------


def streams():
    d, odd, computed = "pickle.global.dangerous", "pickle.global.odd", "pickle.global.computed"
    # picklescan #14 and #22, modelscan #85, CVE-2025-71325; memo numbers that do not mean what was put before them.
    yield "memo: PUT and MEMOIZE mixed", (b"\x80\x04T\2\0\0\0osq\0T\6\0\0\0systemq\1" + text("torch._utils") + b"\x94" +
                                         text("_rebuild_tensor_v2") + b"\x94h\0h\1\x93" + text("x") + b"\x85R."), 1, d
    yield "memo: numbers given twice", (b"Vos\np2\n0Vsystem\np3\n0Vtorch\np0\n0VLongStorage\np1\n0g2\ng3\n\x93(Vx\ntR."), 1, d
    yield "memo: MEMOIZE behind GET", (b"\x80\x04" + text("os") + b"\x94" + text("system") + b"\x940h\0\x94h\1\x94\x93" +
                                      text("x") + b"\x85R."), 1, d
    yield "memo: a number of 32 bits", b"\x80\x02X\2\0\0\0osr\xff\xff\xff\xffX\6\0\0\0systemj\xff\xff\xff\xff0q\0" \
        b"0j\xff\xff\xff\xffh\0\x93(X\1\0\0\0xtR.", 1, d
    yield "memo: a number with signs", b"Vos\np+0_1\n0Vsystem\np2\n0g1\ng2\n\x93(Vx\ntR.", 1, d
    yield "memo: was never given", b"\x80\x04cos\nsystem\nVx\n\x85R0\x8c\2os\x94h\3h\0\x93KB.", 1, d
    yield "memo: a number of another type", b"\x80\x04cos\nsystem\nVx\n\x85R0J*\0\0\0\x94\x8c\2os\x94h\0h\1\x93KB.", 1, computed
    yield "STACK_GLOBAL: first argument at 0", b"Vos\nVsystem\n\x93(Vx\ntR.", 1, d
    yield "STACK_GLOBAL: strings of protocol 0", b"S'os'\nS'system'\n\x93S'x'\n\x85R.", 1, d
    yield "STACK_GLOBAL: escapes", b"S'o\\x73'\nS'\\163ystem'\n\x93S'x'\n\x85R.", 1, d
    yield "STACK_GLOBAL: unicode escapes", b"V\\u006fs\nVs\\u0079stem\n\x93(Vx\ntR.", 1, d
    yield "STACK_GLOBAL: of DUP", b"\x80\x04\x8c\6timeit2\x93\x8c\1x\x85R.", 1, d
    yield "STACK_GLOBAL: popped decoys", (b"\x80\x04" + text("os") + text("torch") + b"0" + text("system") + text("Size") +
                                         b"0\x93" + text("x") + b"\x85R."), 1, d
    yield "STACK_GLOBAL: through a tuple", (b"\x80\x04(" + text("os") + b"t0" + text("os") + text("system") + b"\x93."), 1, d
    joined = reduce4("_codecs", "encode", "so", "rot13")
    yield "STACK_GLOBAL: computed", b"\x80\x04" + joined + text("system") + b"\x93" + text("x") + b"\x85R.", 1, computed
    yield "STACK_GLOBAL: bytes", b"\x80\x04C\2osC\6system\x93)R.", 1, computed
    yield "STACK_GLOBAL: numbers", b"\x80\x04K\1K\2\x93)R.", 1, computed
    yield "STACK_GLOBAL: outside", b"\x80\x04" + text("a") + b"Q" + text("system") + b"\x93)R.", 1, computed
    # modelscan #330, #331, #89: attributes of allowed modules, and attributes set on them.
    builtins = (b"\x80\x04" + stack_global("numpy", "size") + b"\x94\x94" + stack_global("numpy", "__builtins__") +
                b"\x94\x94h\1}}" + text("shape") + b"h\3s\x86bh\1h\1" + text("eval") + b"\x86R" + text("1") + b"\x85R.")
    yield "modelscan 330: numpy.__builtins__", builtins, 1, odd
    yield "modelscan 85: attributes set with BUILD", (
        b"\x80\5cnumpy\nprod\nN(Va\nVos\nd\x86bN(Vb\nVsystem\nd\x86b0cnumpy\nprod.a\np0\ncnumpy\nprod.b\np1\n00g0\ng1\n"
        b"\x93Vx\n\x85R."), 1, odd
    yield "modelscan 89: dict.get", b"\x80\5cbuiltins\ndict.get\ncnumpy\n__builtins__\nVexec\n\x86RVx\n\x85R.", 1, odd
    yield "modelscan 89: sys.modules", (b"\x80\5cnumpy\nprod\nNcnumpy\ncore._internal.sys.modules\n\x86b0"
                                        b"cnumpy\nprod.os.system\nVx\n\x85R."), 1, odd
    yield "modelscan 331: joined letters", (
        b"\x80\x04" + stack_global("importlib", "import_module") + b"\x94" + text("builtins") + b"\x85R\x94" +
        stack_global("builtins", "getattr") + b"\x94h\2h\1" + text("str") + b"\x86R" + text("join") + b"\x86R" + text("") +
        b"](" + text("o") + text("s") + b"e\x86R."), 1, "pickle.call.computed"
    yield "sys.modules overridden (picklescan)", (
        b"\x80\x04Vtorch._utils\n\x94V_rebuild_tensor\n\x94\x93\x940Vtorch\nV_utils\n\x93\x940h\3}h\1Vbuiltins\nsb0h\0h\1"
        b"\x93h\3}h\1Veval\nsb0h\0h\1\x93Vx\n\x85R."), 1, "pickle.build.global"
    yield "BUILD on an allowed class", b"\x80\x02ccollections\nOrderedDict\n}X\1\0\0\0aK\1sb.", 1, "pickle.build.global"
    yield "SETITEM on an allowed class", b"\x80\x02ccollections\nOrderedDict\nX\1\0\0\0aK\1s.", 1, "pickle.modify.global"
    yield "APPEND to a global", b"\x80\x02ccollections\nOrderedDict\nK\1a.", 1, "pickle.modify.global"
    yield ("SETITEM on a tensor (CVE-2026-24747)", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(tRK\0K\1s.", 1,
           "pickle.modify.value")
    yield "call of a call", b"\x80\x02ccollections\nOrderedDict\n)R)R.", 1, "pickle.call.computed"
    yield "call of what is outside", b"\x80\x02X\1\0\0\0aQ)R.", 1, "pickle.call.computed"
    yield "extension 1", b"\x80\x02\x82\1)R.", 1, "pickle.extension"
    yield "extension 2", b"\x80\x02\x83\1\1)R.", 1, "pickle.extension"
    yield "extension 4", b"\x80\x02\x84\1\1\1\1)R.", 1, "pickle.extension"
    # Names.
    yield "name: dotted", b"\x80\x04" + stack_global("collections", "abc.sys.modules") + b".", 1, odd
    yield "name: dotted, allowed head", b"\x80\x04" + stack_global("collections", "OrderedDict.fromkeys") + b")R.", 1, odd
    yield "name: space before", b"\x80\x02c os\nsystem\n(X\1\0\0\0xtR.", 1, odd
    yield "name: space behind", b"\x80\x02ccollections \nOrderedDict\n)R.", 1, odd
    yield "name: carriage return", b"\x80\x02ccollections\r\nOrderedDict\r\n)R.", 1, odd
    yield "name: full width", b"\x80\x04" + stack_global("ｏｓ", "system") + b")R.", 1, odd
    yield "name: Kelvin sign", b"\x80\x04" + stack_global("collections", "OrderedDict\u212a") + b")R.", 1, odd
    yield "name: case", b"\x80\x04" + stack_global("OS", "System") + b")R.", 1, "pickle.global.unknown"
    yield "name: NUL", b"\x80\x04" + stack_global("collections\0", "OrderedDict") + b")R.", 1, odd
    yield "name: newline in STACK_GLOBAL", b"\x80\x04" + stack_global("collections\nOrderedDict", "x") + b")R.", 1, odd
    yield "name: dunder", b"\x80\x04" + stack_global("torch", "__loader__") + b")R.", 1, odd
    yield "name: empty", b"\x80\x04" + stack_global("", "") + b")R.", 1, odd
    yield "name: long", b"\x80\x04" + stack_global("a" * 3000, "b") + b")R.", 1, odd
    yield "name: Python 2's", call2("__builtin__", "apply", "x"), 1, d
    yield "name: __main__", call2("__main__", "Config", "x"), 1, "pickle.global.unknown"
    # Streams: what breaks a scanner, not a loader.
    yield "tail: garbage (nullifAI)", EVIL[:-1] + b"X\xff\xff\xff\xff", 1, d
    yield "tail: garbage, broken", EVIL[:-1] + b"X\xff\xff\xff\xff", 1, "pickle.broken"
    yield "tail: no STOP", EVIL[:-1], 1, d
    yield "tail: no opcode", EVIL2[:-1] + b"\xfe\xfd", 1, d
    yield "tail: text behind STOP", EVIL2 + b"\n\n\t\t", 1, d
    yield "broken before the call (picklescan's broken_model)", b"cbuiltins\nexec\n(X>\nf = open('x', 'a'); f.close()tRX.", 1, d
    yield "invalid UTF-8 behind (picklescan's)", b"Vos\np2\n0Vsystem\np3\n0g2\ng3\n\x93(Vx\ntR.\n\n\t\t\xf8", 1, d
    yield "second pickle", b"\x80\x04](\x8c\1a\x8c\1be." + EVIL, 1, "pickle.continued"
    yield "second pickle, found", b"\x80\x04](\x8c\1a\x8c\1be." + EVIL, 1, d
    yield "second pickle of protocol 0", b"(lp0\nVa\np1\na." + call0("os", "system", "x"), 1, d
    yield "second pickle behind number", b"I1\n." + call0("os", "system", "x"), 1, d
    yield "protocol named twice", b"\x80\x02]\x80\x02cos\nsystem\n)R.", 1, "pickle.protocol"
    yield "protocol beyond 5", b"\x80\x42cos\nsystem\n)R.", 1, None
    yield "popped call (GHSA-mxhj-88fx-4pcv)", b"\x80\4(" + stack_global("smtplib", "SMTP") + text("127.0.0.1") + b"o0N.", 1, d
    yield "call used in BUILD (UnusedVariables)", EVIL[:-1] + text("x") + b"b.", 1, d
    yield "call used in SETITEMS (GHSA-m6fh-58r7-x697)", b"\x80\4}(" + text("x") + EVIL[2:-1] + b"u.", 1, d
    # cpython 154848: a frame that ends inside an opcode.
    hidden = b"cos\nsystem\nVx\n\x85R"
    yield "frame: crossed", (b"\x80\5NV" + b"a" * (8192 * 16 - 17) + b"\n0(\x95" + struct.pack("<Q", 2) + b"B\7\1\0\0" +
                             b"\0\0" + (hidden + b"(").ljust(261, b"N") + b"1."), 1, "pickle.frame"
    for what, body, n in (("BINBYTES", b"B\x14\0\0\0" + b"A" * 20, 5), ("SHORT_BINUNICODE", b"\x8c\x14" + b"A" * 20, 3),
                          ("UNICODE", b"Vhello world\n", 5), ("BININT", b"J\7\0\0\0", 2),
                          ("another frame", b"N\x95" + struct.pack("<Q", 1) + b"N", 30)):
        yield "frame: %s crosses" % what, b"\x80\5\x95" + struct.pack("<Q", n) + body + b".", 1, "pickle.frame"
    yield "head: behind junk", b"junk " * 40 + EVIL, 1, d
    yield "head: behind junk, protocol 0", b"junk " * 40 + call0("os", "system", "x"), 1, d
    yield "head: behind junk, OBJ", b"junk " * 40 + obj("os", "system", "x"), 1, d
    yield "head: behind 200 KiB of zeros", bytes(200 << 10) + EVIL2, 1, d
    for at in (65534, 65535, 65536, 65537, 64513):
        yield "head: at %d" % at, bytes(at) + EVIL2, 1, d
    # Pickles in strings.
    yield "nested: bytes", b"\x80\4" + data(EVIL) + b".", 1, d
    yield "nested: bytes of 100 KiB", b"\x80\4" + data(bytes(100 << 10) + EVIL) + b".", 1, d
    yield "nested: string of protocol 2", b"\x80\2X" + struct.pack("<I", len(EVIL2) + 1) + b"\xc2\x80" + EVIL2[1:] + b".", 1, d
    yield "nested: Latin-1 as UTF-8", (b"\x80\2c_codecs\nencode\nX" + struct.pack("<I", len(EVIL.decode("latin1").encode())) +
                                       EVIL.decode("latin1").encode() + b"X\6\0\0\0latin1\x86R."), 1, d
    yield "nested: unicode escapes", b"c_codecs\nencode\n(V" + b"".join(b"\\u%04x" % c for c in EVIL) + b"\nVlatin1\ntR.", 1, d
    yield "nested: escapes", b"S'" + b"".join(b"\\x%02x" % c for c in EVIL) + b"'\n.", 1, d
    yield "nested: SHORT_BINSTRING", b"\x80\2U" + bytes([len(EVIL2)]) + EVIL2 + b".", 1, d
    yield "nested: BYTEARRAY8", b"\x80\5\x96" + struct.pack("<Q", len(EVIL)) + EVIL + b".", 1, d
    yield "nested: zlib", b"\x80\4" + data(zlib.compress(EVIL * 3)) + b".", 1, d
    for name, coded in {"base64": base64.b64encode(EVIL), "base64 of protocol 2": base64.b64encode(EVIL2),
                        "base64 in lines": base64.encodebytes(EVIL * 5), "base64 for addresses": base64.urlsafe_b64encode(EVIL * 9),
                        "zlib in base64": base64.b64encode(zlib.compress(EVIL)),
                        "gzip in base64": base64.b64encode(gzip.compress(EVIL, mtime=0)),
                        "base64 in zlib": zlib.compress(base64.b64encode(EVIL))}.items():
        yield "nested: " + name, b"\x80\4" + data(coded) + b".", 1, d
    spelt = base64.b64encode(EVIL)
    yield "nested: base64 in a string", b"\x80\2X" + struct.pack("<I", len(spelt)) + spelt + b".", 1, d
    yield "nested: base64 of what is allowed", b"\x80\4" + data(base64.b64encode(b"\x80\4]" + data(bytes(40)) + b"a.")) + b".", 0, None
    yield "nested: words like base64", b"\x80\4" + data(b"gAwordOnlyLettersAndNothingElse") + b".", 0, None
    yield "nested: zip", b"\x80\4" + data(archive([("a", EVIL)])) + b".", 1, d
    yield "nested: torch in _load_from_bytes", b"\x80\4" + reduce4("torch.storage", "_load_from_bytes", data(legacy(EVIL2))) + b".", 1, d
    deep = EVIL
    for _ in range(4):
        deep = b"\x80\4" + data(deep) + b"."
    yield "nested: four times", deep, 1, d
    for _ in range(8):
        deep = b"\x80\4" + data(deep) + b"."
    yield "nested: twelve times", deep, 2, "scan.depth"
    # A magic number that is the result of a call (pytorch_magic_bypass).
    yield "magic by a call", b"\x80\2c__builtin__\neval\nX\1\0\0\0x\x85R." + LEGACY[15:] + EVIL2, 1, d
    yield "legacy torch", legacy(EVIL2), 1, d
    yield "legacy torch, in the keys", LEGACY + b"\x80\2}." + EVIL2, 1, d
    yield "legacy torch, behind the storages", legacy(b"\x80\2}.") + struct.pack("<Q", 4) + b"\1\2\3\4" * 4 + EVIL2, 1, d


# ---- containers ------------------------------------------------------------------------------------


def zips():
    d = "pickle.global.dangerous"
    z = archive([("archive/data.pkl", EVIL), ("archive/version", b"3\n")])
    yield "zip: stored", z, 1, d
    yield "zip: deflated", archive([("archive/data.pkl", EVIL)], zipfile.ZIP_DEFLATED), 1, d
    yield "zip: any name (CVE-2025-1889)", archive([("archive/data.txt", EVIL)]), 1, d
    yield "zip: config.p in a torch file", archive([("m/data.pkl", b"\x80\2}."), ("m/config.p", EVIL)]), 1, d
    for bit in (0x1, 0x20, 0x40, 0x2000):
        yield "zip: flag %#x in the directory (CVE-2025-1945)" % bit, central(z, 8, struct.pack("<H", bit)), 1, d
        yield "zip: flag %#x said" % bit, central(z, 8, struct.pack("<H", bit)), 1, "zip.flags"
        yield "zip: flag %#x in both" % bit, patched(central(z, 8, struct.pack("<H", bit)), 6, struct.pack("<H", bit)), 1, d
    yield "zip: names differ (CVE-2025-1944)", patched(z, 30, b"archive/atad.pkl"), 1, d
    yield "zip: names differ, said", patched(z, 30, b"archive/atad.pkl"), 1, "zip.header"
    yield "zip: checksum (CVE-2025-10156)", central(z, 16, b"\1\2\3\4"), 1, d
    yield "zip: checksum, said", central(z, 16, b"\1\2\3\4"), 1, "zip.crc"
    with_double = archive([("a.pkl", b"\x80\2}."), ("b.pkl", EVIL)])
    yield "zip: double name", with_double.replace(b"b.pkl", b"a.pkl"), 1, "zip.duplicate"
    yield "zip: double name, found", with_double.replace(b"b.pkl", b"a.pkl"), 1, d
    good = archive([("a.pkl", b"\x80\2}.")])
    yield "zip: bytes before", EVIL + good, 1, d
    yield "zip: bytes before, said", b"#!/bin/sh\nexit\n" + good, 1, "zip.prefix"
    yield "zip: pickle before, offsets right", EVIL + shifted(good, len(EVIL)), 1, d
    yield "zip: bytes behind", good + EVIL, 1, d
    yield "zip: bytes behind, said", good + EVIL, 1, "zip.trailing"
    yield "zip: archive behind archive", good + z, 1, d
    yield "zip: archive before archive", z + good, 1, d
    yield "zip: end record in the comment", archive([("a.pkl", EVIL)], comment=good), 1, d
    yield "zip: archive in the comment", archive([("a.pkl", b"\x80\2}.")], comment=z), 1, d
    hidden = drop_central(archive([("a.pkl", b"\x80\2}."), ("b.pkl", EVIL)]))
    yield "zip: entry without a record", hidden, 1, d
    yield "zip: entry without a record, said", hidden, 1, "zip.gap"
    yield "zip: two directories", two_directories(), 1, d
    yield "zip: entry cut off", z[:60], 2, "zip.broken"
    yield "zip: entry cut off behind the call", z[:80], 1, d
    yield "zip: no directory", z[:z.index(b"PK\1\2")], 1, d
    yield "zip: no directory, clean", good[:good.index(b"PK\1\2")], 2, "zip.broken"
    for method, what in ((9, "deflate64"), (12, "bzip2"), (14, "lzma"), (93, "zstd"), (95, "xz"), (99, "AES"), (77, "none")):
        made = central(good, 10, struct.pack("<H", method))
        yield "zip: method %s" % what, patched(made, 8, struct.pack("<H", method)), 2, "zip.method"
    yield "zip: bzip2", archive([("a", b"\x80\2}." * 50)], zipfile.ZIP_BZIP2), 2, "zip.method"
    yield "zip: lzma", archive([("a", b"\x80\2}." * 50)], zipfile.ZIP_LZMA), 2, "zip.method"
    yield "zip: methods differ", central(archive([("a.pkl", EVIL)], zipfile.ZIP_DEFLATED), 10, b"\0\0"), 1, "zip.header"
    yield "zip: encrypted", encrypted(), 2, "zip.encrypted"
    yield "zip: climbing name", archive([("../../a.pkl", b"\x80\2}.")]), 1, "zip.name"
    yield "zip: absolute name", archive([("/etc/a", b"x")]), 1, "zip.name"
    yield "zip: drive", archive([("C:/a", b"x")]), 1, "zip.name"
    yield "zip: backslash", archive([("aXb", b"x")]).replace(b"aXb", b"a\\b"), 1, "zip.name"
    yield "zip: NUL in a name", archive([("aXb", b"x")]).replace(b"aXb", b"a\0b"), 1, "zip.name"
    yield "zip: link", central(central(good, 4, b"\x14\x03"), 38, struct.pack("<I", 0xA1FF << 16)), 1, "zip.link"
    yield "zip: overlap", overlapping(), 1, "zip.overlap"
    yield "zip: entry passes the end", central(central(good, 20, b"\xff\xff\xff\x7f"), 24, b"\xff\xff\xff\x7f"), 1, "zip.data"
    yield "zip: header beyond the end", central(good, 42, b"\xff\xff\xff\x7f"), 1, "zip.data"
    yield "zip: zip64 without its field", central(good, 42, b"\xff\xff\xff\xff"), 1, "zip.data"
    yield "zip: zip64 locator to nowhere", insert_locator(good, 1 << 62), 1, "zip.broken"
    yield "zip: count of the end record", patched(good, len(good) - 12, b"\7\0\7\0"), 1, "zip.directory"
    yield "zip: broken deflate", broken_deflate(), 2, "zip.data"
    yield "zip: sizes lie", central(archive([("a.pkl", EVIL)], zipfile.ZIP_DEFLATED), 24, b"\1\0\0\0"), 1, d
    inner = z
    for _ in range(5):
        inner = archive([("inner.zip", inner)], zipfile.ZIP_DEFLATED)
    yield "zip: six deep", inner, 1, d
    for _ in range(6):
        inner = archive([("inner.zip", inner)])
    yield "zip: twelve deep", inner, 2, "scan.depth"
    yield "zip: 7z inside", archive([("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(60))]), 2, "file.compressed"
    yield "zip: gzip inside", archive([("a", gzip.compress(EVIL))]), 1, d
    yield "zip: tar inside", archive([("a", tar([("b", EVIL)]))]), 1, d
    yield "zip: local data descriptor", descriptor(), 0, None
    yield "npz: objects", archive([("a.npy", npy(EVIL))]), 1, d
    yield "npz: objects, deflated", archive([("a.npy", npy(EVIL))], zipfile.ZIP_DEFLATED), 1, d
    yield "npy: objects (dns_exfiltration)", npy(call4("ssl", "get_server_certificate", "x")), 1, d
    yield "npy: pickle behind numbers", npy(bytes(64) + EVIL, "<f8", "(8,)"), 1, d
    yield "npy: header of version 9", b"\x93NUMPY\x09\0" + npy(EVIL)[8:], 1, d
    yield "npy: header too long", b"\x93NUMPY\1\0\xff\xff" + bytes(8), 2, "numpy.header"
    yield "mar", archive([("MAR-INF/MANIFEST.json", b'{"model": {"handler": "h.py"}}'), ("h.py", b"import os")]), 1, "code.python"
    yield "torchscript", archive([("m/data.pkl", b"\x80\2}."), ("m/constants.pkl", b"\x80\2)."),
                                  ("m/code/__torch__.py", b"class M(Module):\n  pass\n")]), 1, "code.torchscript"
    yield "torchscript that writes", archive([("m/data.pkl", b"\x80\2}."), ("m/code/__torch__.py",
                                              b"x = torch.from_file('/tmp/x', True)\n")]), 1, "code.torchscript.files"
    yield "torchscript: pickle of arrays", archive([("m/constants.pkl", EVIL)]), 1, d


def gguf(template):
    return build.gguf_raw([build.key("tokenizer.chat_template", build.STRING, template)], [])


def others():
    d = "pickle.global.dangerous"
    yield "tar: legacy torch", tar([("sys_info", b"\x80\2}."), ("pickle", EVIL2), ("storages", b"\x80\2K\0."),
                                    ("tensors", b"\x80\2K\0.")]), 1, d
    yield "tar: recursive", tar([("a.tar", tar([("b.tar", tar([("c", EVIL)]))]))]), 1, d
    yield "tar: climbing", tar([("../a", b"x")]), 1, "tar.name"
    yield "tar: cut", tar([("a", bytes(2000))])[:1500], 2, "tar.broken"
    yield "tar: behind its end", tar([("a", b"x")]) + EVIL2, 1, d
    yield "gzip", gzip.compress(EVIL), 1, d
    yield "gzip: broken", gzip.compress(EVIL * 9)[:-12], 1, "file.compressed"
    yield "gzip: broken, clean", gzip.compress(b"text" * 900)[:-12], 2, "file.compressed"
    yield "gzip: two", gzip.compress(b"text") + gzip.compress(EVIL), 2, "file.compressed"
    yield "zlib", zlib.compress(EVIL * 3), 1, d
    for what, head in (("7z", b"7z\xbc\xaf\x27\x1c"), ("rar", b"Rar!\x1a\x07\1\0"), ("xz", b"\xfd7zXZ\0"),
                       ("bzip2", b"BZh91AY&SY"), ("zstd", b"\x28\xb5\x2f\xfd"), ("lz4", b"\x04\x22\x4d\x18"),
                       ("lzma", b"\x5d\0\0\x80\0" + b"\xff" * 8)):
        yield "compressed: " + what, head + bytes(64), 2, "file.compressed"
    yield "7z around a pickle (picklescan's)", b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24) + EVIL, 1, d
    yield "program", b"\x7fELF\2\1\1" + bytes(64), 1, "file.executable"
    yield "Keras: Lambda in JSON", archive([("config.json", json.dumps({"class_name": "Functional", "config": {"layers": [
        {"class_name": "Lambda", "config": {}}]}}).encode())]), 1, "keras.lambda"
    yield "Keras: Lambda in HDF5", b"\x89HDF\r\n\x1a\n" + bytes(70000) + b'{"class_name": "Lambda"}' + bytes(99), 1, "keras.lambda"
    jinja = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    yield "template: GGUF (CVE-2024-34359)", gguf(jinja), 1, "template.code"
    yield "template: GGUF, escaped", gguf("{{ ''|attr('\\x5f\\x5fclass') }}"), 1, "template.code"
    yield "GGUF: bytes behind", build.gguf() + EVIL * 4, 1, "file.trailing"
    yield "GGUF: cut", build.gguf()[:60], 2, "file.unreadable"
    yield "safetensors: zip behind", build.safetensors(build.plain()) + archive([("a", EVIL)]), 2, "file.unreadable"
    yield "folder: any file in it", {"config.json": b"{}", "model.safetensors": build.safetensors(build.plain()),
                                     "sub/deep/notes.txt": EVIL}, 1, d
    yield "folder: rng state", {"model.safetensors": build.safetensors(build.plain()), "rng_state.pth": legacy(EVIL2)}, 1, d
    yield "folder: template", {"chat_template.jinja": jinja.encode()}, 1, "template.code"
    yield "folder: template in JSON", {"tokenizer_config.json": json.dumps({"chat_template": jinja}).encode()}, 1, "template.code"
    auto = json.dumps({"auto_map": {"AutoModel": "modeling.Model"}}).encode()
    yield "folder: remote code", {"config.json": auto, "modeling.py": b"import os\n"}, 1, "code.remote"
    yield "folder: code of another repository", {"config.json": auto.replace(b"modeling.", b"evil/repo--modeling.")}, 1, "code.remote"


# ---- helpers that break archives -----------------------------------------------------------------------


def shifted(z, n):
    """The same archive with its offsets n further on."""
    at = z.index(b"PK\1\2")
    z = patched(z, at + 42, struct.pack("<I", struct.unpack_from("<I", z, at + 42)[0] + n))
    return patched(z, len(z) - 6, struct.pack("<I", struct.unpack_from("<I", z, len(z) - 6)[0] + n))


def drop_central(z):
    """Takes the second record out of the directory."""
    first, second = list(find_all(z, b"PK\1\2"))
    end = z.index(b"PK\5\6")
    out = z[:second] + z[end:]
    end = out.index(b"PK\5\6")
    return patched(patched(out, end + 8, b"\1\0\1\0"), end + 12, struct.pack("<I", second - first))


def two_directories():
    """The end record's size leads to one directory, its offset to another."""
    z = archive([("a.pkl", b"\x80\2}."), ("b.pkl", EVIL)])
    first, second = list(find_all(z, b"PK\1\2"))
    end = z.index(b"PK\5\6")
    one, two = z[first:second], z[second:end]
    out = z[:first] + two + one + z[end:]
    at = out.index(b"PK\5\6")
    return patched(patched(out, at + 8, b"\1\0\1\0"), at + 12, struct.pack("<II", len(one), first))


def overlapping():
    z = archive([("a", b"x" * 50), ("b", b"y" * 50)])
    second = list(find_all(z, b"PK\1\2"))[1]
    return patched(z, second + 42, struct.pack("<I", 0))


def insert_locator(z, offset):
    at = z.index(b"PK\5\6")
    return z[:at] + b"PK\6\7" + struct.pack("<IQI", 0, offset, 1) + z[at:]


def broken_deflate():
    z = archive([("a.pkl", b"\x80\2}." * 99)], zipfile.ZIP_DEFLATED)
    return patched(z, 35, b"\xff\xff\xff")


def encrypted():
    z = archive([("a.pkl", bytes(range(100, 140)))])
    z = patched(central(z, 8, b"\1\0"), 6, b"\1\0")
    return patched(central(z, 16, b"\1\2\3\4"), 14, b"\1\2\3\4")


def descriptor():
    out = io.BytesIO()

    class Pipe:
        def write(self, b):
            return out.write(b)

        def flush(self):
            pass
    with zipfile.ZipFile(Pipe(), "w") as z:
        z.writestr("a.pkl", b"\x80\2}.")
        z.writestr("b.pkl", b"\x80\2}.")
    return out.getvalue()


# ---- what must be clean -------------------------------------------------------------------------------


def clean():
    yield "clean: list, protocol 0", b"(lp0\nVa\np1\naVb\np2\na.", 0, None
    yield "clean: list, protocol 4", b"\x80\4\x95\x11\0\0\0\0\0\0\0]\x94(\x8c\1a\x94\x8c\1b\x94\x8c\1c\x94e.", 0, None
    yield "clean: state dict", build.torch_pickle(), 0, None
    yield "clean: torch", build.torch(), 0, None
    yield "clean: torch, deflated", build.torch(method=zipfile.ZIP_DEFLATED), 0, None
    yield "clean: big-endian torch", build.torch(byteorder=b"big"), 0, None
    yield "clean: legacy", legacy(b"\x80\2}."), 0, None
    yield "clean: safetensors", build.safetensors(build.plain()), 0, None
    yield "clean: GGUF", build.gguf(), 0, None
    yield "clean: GGUF with a template", gguf(
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{% endfor %}"), 0, None
    yield "clean: folder", build.folder(), 0, None
    yield "clean: folder as tar", build.tar(sorted(build.folder().items())), 0, None
    yield "clean: numbers", npy(struct.pack("<8d", *range(8)), "<f8", "(8,)"), 0, None
    yield "clean: large tokenizer", {"tokenizer.json": b'{"model": "' + b"x" * (17 << 20) + b'"}'}, 0, None
    yield "clean: picture", b"\x89PNG\r\n\x1a\n", 0, None
    yield "clean: words", b"cab\ncabs\ncat\ncats\ncow\ndog\n", 0, None
    yield "clean: more words", b"import\nos\nsystem\ncar\nbuiltins\n", 0, None
    yield "clean: text", b"N.B. this is a text.\nIt goes on.\n", 0, None
    yield "clean: JSON", json.dumps({"a": [1, 2, {"b": None}]}).encode(), 0, None
    yield "clean: zip of texts", archive([("a/b.txt", b"text"), ("c.json", b"{}")]), 0, None
    yield "clean: empty zip", archive([]), 0, None
    yield "clean: zip in zip", archive([("a.zip", archive([("b", b"text")]))]), 0, None
    yield "clean: zip with a comment", archive([("a", b"text")], comment=b"made by hand"), 0, None
    yield "clean: empty file", b"", 0, None


def all_cases():
    for group in (gadgets, streams, zips, others, clean):
        yield from group()
