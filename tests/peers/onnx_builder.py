"""The runtime's own model builder, in this process, and what is in a folder of its, or of ours."""
import contextlib
import io
import logging

import onnx
from onnxruntime_genai.models.builder import create_model, parse_extra_options


def build(source, folder, precision="int4", device="cpu", **options):
    """Its folder for a checkpoint; options as on its command line."""
    logging.disable(logging.WARNING)
    given = [f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in options.items()]
    args = (None, str(source), str(folder), precision, device, str(folder) + "-cache")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        create_model(*args, **parse_extra_options(*args, given))
    return folder


class Graph:
    """Nodes by name, without constants; arrays of initializers and of constants, in branches too."""

    def __init__(self, folder):
        self.model = onnx.load(folder / "model.onnx")
        self.nodes, self.arrays = {}, {}
        self.take(self.model.graph)

    def take(self, graph):
        for t in graph.initializer:
            self.arrays[t.name] = onnx.numpy_helper.to_array(t)
        for node in graph.node:
            if node.op_type == "Constant":
                self.arrays[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
                continue
            self.nodes[node.name] = node
            for a in node.attribute:
                if a.type == onnx.AttributeProto.GRAPH:
                    self.take(a.g)

    def attributes(self, name):
        return {a.name: onnx.helper.get_attribute_value(a) for a in self.nodes[name].attribute
                if a.type != onnx.AttributeProto.GRAPH}

    def inputs(self, name):
        """Arrays where they are known, None for what flows."""
        return [self.arrays.get(i) for i in self.nodes[name].input]
