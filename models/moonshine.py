"""Makes the fast form of the speech recogniser from the form its makers ship.

    moonshine.py SOURCE_DIR TARGET_DIR

The shipped files keep every weight as int8 and turn it back into a float at every token, and hold
both decoders in the branches of one `If`. Made once, on the user's machine, from the same weights:

* `encoder.onnx`       sound -> hidden states
* `cross_kv.onnx`      hidden states -> the encoder's keys and values, needed once per utterance
* `decoder_step.onnx`  one token and the past -> the next token; starts from an empty past

with the matrix products quantised to int8 per channel, which the runtime multiplies directly.
Needs the Python packages onnxruntime, onnx and numpy. The output is the same, bit for bit, for the
same versions of these; where it is not, what was made has still been compared with what was shipped.
"""

import os
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

LAYERS, HEADS, HEAD = 8, 8, 52
PARTS = ("encoder", "cross_kv", "decoder_step")


def main(source, target):
    os.makedirs(target, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as work:
        encoder(source, work)
        decoder(source, work)
        for part in PARTS:
            quantise(f"{work}/{part}.onnx", f"{target}/{part}.onnx")
            print(f"made {part}.onnx", flush=True)
    check(source, target)


def encoder(source, work):
    model = unpack(f"{source}/encoder_model.ort", f"{work}/shipped_encoder.onnx")
    graph = model.graph
    nodes, constants = fold(graph.node, graph.initializer)
    save("encoder", nodes, constants, graph.input, graph.output, f"{work}/encoder.onnx", opset(model))


def decoder(source, work):
    """Takes the two branches of the merged decoder apart."""
    model = unpack(f"{source}/decoder_model_merged.ort", f"{work}/shipped_decoder.onnx")
    shared = [node for node in model.graph.node if node.op_type != "If"]
    (choice,) = [node for node in model.graph.node if node.op_type == "If"]
    branches = {attribute.name: attribute.g for attribute in choice.attribute}
    step(model, shared, branches["then_branch"], f"{work}/decoder_step.onnx")
    cross(model, shared, branches["else_branch"], f"{work}/cross_kv.onnx")


def step(model, shared, branch, out):
    nodes, constants, outputs = promote(model, shared, branch, lambda name: ".encoder." not in name)
    used = {name for node in nodes for name in node.input}
    inputs = [i for i in model.graph.input if i.name in used]
    save("decoder_then_branch", nodes, constants, inputs, outputs, out, opset(model))


def cross(model, shared, branch, out):
    """Keeps only the projections of the encoder's output to keys and values."""
    nodes, constants, outputs = promote(model, shared, branch, lambda name: True)
    outputs = [o for o in outputs if ".encoder." in o.name]
    maker = {name: node for node in nodes for name in node.output}
    kept, weights = [], {"shp": np.array([1, -1, HEADS, HEAD], np.int64)}
    for output in outputs:
        node = maker[output.name]
        while node.op_type != "MatMul":
            node = maker[node.input[0]]
        hidden, weight = node.input
        assert hidden == "encoder_hidden_states", f"{output.name} is not made from the encoder"
        weights[weight] = constants[weight]
        name = output.name
        kept.append(helper.make_node("MatMul", [hidden, weight], [name + "_m"]))
        kept.append(helper.make_node("Reshape", [name + "_m", "shp"], [name + "_r"]))
        kept.append(helper.make_node("Transpose", [name + "_r"], [name], perm=[0, 2, 1, 3]))
    inputs = [i for i in model.graph.input if i.name == "encoder_hidden_states"]
    save("cross_kv", kept, weights, inputs, outputs, out, opset(model))


def promote(model, shared, branch, wanted):
    """Makes a branch of the `If` a graph of its own, with the outputs the `If` had."""
    initial = list(model.graph.initializer) + list(branch.initializer)
    nodes, constants = fold(list(shared) + list(branch.node), initial)
    outputs = []
    for inner, outer in zip(branch.output, model.graph.output):
        if not wanted(outer.name):
            continue
        if inner.name != outer.name:
            nodes.append(helper.make_node("Identity", [inner.name], [outer.name]))
        outputs.append(outer)
    needed, live = {o.name for o in outputs}, []
    for node in reversed(nodes):
        if any(name in needed for name in node.output):
            live.append(node)
            needed |= set(node.input)
    return live[::-1], constants, outputs


def fold(nodes, initializers):
    """Computes what is constant: int8 weight -> cast -> scale -> offset (-> transpose)."""
    known = {i.name: numpy_helper.to_array(i) for i in initializers}
    kept = []
    for node in nodes:
        kind, names = node.op_type, list(node.input)
        if kind == "Cast" and names[0] in known:
            to = {1: np.float32, 7: np.int64}[node.attribute[0].i]
            known[node.output[0]] = known[names[0]].astype(to)
        elif kind == "Mul" and all(name in known for name in names):
            known[node.output[0]] = known[names[0]] * known[names[1]]
        elif kind == "Add" and all(name in known for name in names):
            known[node.output[0]] = known[names[0]] + known[names[1]]
        elif kind == "Transpose" and names[0] in known:
            order = list(node.attribute[0].ints) if node.attribute else None
            known[node.output[0]] = np.ascontiguousarray(known[names[0]].transpose(order or None))
        elif kind == "Constant":
            known[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        else:
            kept.append(node)
    return kept, known


def unpack(path, out):
    """The runtime reads its own format and writes it again as plain ONNX."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = out
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    ort.InferenceSession(path, options)
    return onnx.load(out)


def opset(model):
    return [o.version for o in model.opset_import if o.domain == ""][0]


def save(name, nodes, constants, inputs, outputs, path, version):
    used = {i for node in nodes for i in node.input} | {o.name for o in outputs}
    weights = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items() if k in used]
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    model.ir_version = 8
    onnx.save(model, path)


def quantise(path, out):
    quantize_dynamic(
        path,
        out,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": 1},
    )


def check(source, target):
    """What was made must answer as what was shipped does: the same first words to a test sound."""
    time = np.arange(32000) / 16000
    sound = sum(np.sin(2 * np.pi * f * time) for f in (180, 360, 700, 1220, 2600))
    sound = (0.05 * sound * (1 + np.sin(2 * np.pi * 4 * time)))[None].astype(np.float32)
    shipped, made = shipped_logits(source, sound), made_logits(target, sound)
    alike = float((shipped * made).sum() / (np.linalg.norm(shipped) * np.linalg.norm(made)))
    if not alike > 0.95:
        raise SystemExit(f"what was made does not answer like what was shipped: {alike:.3f}")
    print(f"checked: {alike:.4f} alike", flush=True)


def shipped_logits(source, sound):
    hidden = session(f"{source}/encoder_model.ort").run(None, {"input_values": sound})[0]
    merged = session(f"{source}/decoder_model_merged.ort")
    feed = {
        "input_ids": np.array([[1]], np.int64),
        "encoder_hidden_states": hidden,
        "use_cache_branch": np.array([False]),
    }
    for i in merged.get_inputs():
        if i.name.startswith("past_key_values"):
            feed[i.name] = np.zeros((1, HEADS, 1, HEAD), np.float32)
    names = {i.name for i in merged.get_inputs()}
    return merged.run(["logits"], {k: v for k, v in feed.items() if k in names})[0].ravel()


def made_logits(target, sound):
    hidden = session(f"{target}/encoder.onnx").run(None, {"input_values": sound})[0]
    cross_kv = session(f"{target}/cross_kv.onnx")
    made = cross_kv.run(None, {"encoder_hidden_states": hidden})
    feed = {"input_ids": np.array([[1]], np.int64)}
    for output, value in zip(cross_kv.get_outputs(), made):
        feed[output.name.replace("present", "past_key_values")] = value
    for layer in range(LAYERS):
        for kind in ("key", "value"):
            empty = np.zeros((1, HEADS, 0, HEAD), np.float32)
            feed[f"past_key_values.{layer}.decoder.{kind}"] = empty
    return session(f"{target}/decoder_step.onnx").run(["logits"], feed)[0].ravel()


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(path, options)


if __name__ == "__main__":
    main(*sys.argv[1:3])
