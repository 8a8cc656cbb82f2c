"""Makes the form of the voice that is loaded fast from the form its makers ship.

    piper.py SOURCE_DIR TARGET_DIR

The shipped file tells the shape of each of its 2,763 values. Nothing needs to know them, but the
runtime compares each with each, to plan which may share memory: most of the time it takes to load.
Made once, on the user's machine, without the shapes: the weights and what is done with them stay.
Needs the Python packages onnxruntime, onnx and numpy.
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime as ort

NAME = "en_US-joe-medium.onnx"


def main(source, target):
    os.makedirs(target, exist_ok=True)
    model = onnx.load(f"{source}/{NAME}")
    model.graph.ClearField("value_info")
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.ClearField("shape")
    onnx.save(model, f"{target}/{NAME}")
    print(f"made {NAME}", flush=True)
    check(f"{source}/{NAME}", f"{target}/{NAME}")


def check(shipped, made):
    """What was made must sound as what was shipped does."""
    ids = np.array([[1, 0, *[id for key in range(40) for id in (14 + key * 7 % 100, 0)], 2]], np.int64)
    feed = {
        "input": ids,
        "input_lengths": np.array([ids.shape[1]], np.int64),
        # Without the noise that makes every saying a little different.
        "scales": np.array([0.0, 1.0, 0.0], np.float32),
    }
    shipped, made = (session(path).run(None, feed)[0].ravel() for path in (shipped, made))
    if shipped.shape != made.shape:
        raise SystemExit(f"what was made lasts {made.size} samples, not {shipped.size}")
    apart = float(np.abs(shipped - made).max())
    if not apart < 1e-3:
        raise SystemExit(f"what was made does not sound like what was shipped: {apart:.6f}")
    print(f"checked: {apart:.6f} apart", flush=True)


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(path, options)


if __name__ == "__main__":
    main(*sys.argv[1:3])
