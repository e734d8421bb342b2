"""Write the folder onnx: models in ONNX, and the logits that their framework computes.

The tests of actcli.formats read each file and compare. They need neither PyTorch nor ONNX; this
script does, and it needs nothing of actcli, so that no mistake can be on both sides:

    pip install torch==2.13.0 onnx onnxruntime onnxscript scikit-learn skl2onnx numpy
    python tests/oracles/make_onnx.py

Made with Python 3.11, PyTorch 2.13.0 (CPU), onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0,
scikit-learn 1.9.1 and skl2onnx 1.20.0. `expected.json` holds, for each file, the rows, the
activations and output of the graph, and the logits: the model's own for the files of PyTorch and
scikit-learn, onnxruntime's for those that are put together by hand.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

FOLDER = Path(__file__).parent / "onnx"
FLOAT = TensorProto.FLOAT
RNG = np.random.default_rng(16)
EXPECTED = {}

ACTIVATIONS = {
    "relu": nn.ReLU(),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "leaky-relu": nn.LeakyReLU(),
    "elu": nn.ELU(),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "softplus": nn.Softplus(),
    "mish": nn.Mish(),
    "softsign": nn.Softsign(),
    "relu6": nn.ReLU6(),
}


def record(name, rows, logits, activations, output=None):
    EXPECTED[name] = {
        "rows": np.asarray(rows, np.float64).round(7).tolist(),
        "logits": np.asarray(logits, np.float64).tolist(),
        "activations": activations,
        "output": output,
    }


# By PyTorch -----------------------------------------------------------------------------------


def by_torch(name, model, rows, activations, output=None, logits=None, dynamo=False, **options):
    """Export a model in evaluation mode, with any number of rows."""
    model.eval()
    inputs = torch.tensor(rows, dtype=next(model.parameters()).dtype)
    if dynamo:
        batch = torch.export.Dim("rows", min=1, max=1000)
        options |= {"dynamic_shapes": ({0: batch},), "external_data": False, "verbose": False}
    else:
        options |= {"dynamic_axes": {"input": {0: "rows"}}}
    torch.onnx.export(
        model, (inputs,), FOLDER / f"{name}.onnx", dynamo=dynamo, input_names=["input"], **options
    )
    with torch.no_grad():
        result = (logits or model)(inputs)
    record(name, rows, result.float(), activations, output)


def drawn(*shape):
    return RNG.normal(size=shape).astype(np.float32).round(4)


def classifier(activation, *end):
    torch.manual_seed(16)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5), activation, nn.Dropout(0.3),
        nn.Linear(5, 4, bias=False), activation, nn.Linear(4, 3), *end,
    )  # fmt: skip
    norm = model[2]
    with torch.no_grad():
        for values, low, high in (
            (norm.running_mean, -1, 1), (norm.running_var, 0.5, 2), (norm.weight, 0.5, 2),
            (norm.bias, -1, 1),
        ):  # fmt: skip
            values.uniform_(low, high)
    return model


class Normalized(nn.Module):
    """Bytes over 255, then the normalization that torchvision's users write for each channel."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor([0.4, 0.5]).reshape(1, 2, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.2, 0.3]).reshape(1, 2, 1, 1))

    def forward(self, x):
        x = (x / 255 - self.mean) / self.deviation
        return self.model(x.view(x.size(0), -1))


def write_torch():
    for name, activation in ACTIVATIONS.items():
        for dynamo in (False, True):
            by_torch(
                f"torch-{name}-{'dynamo' if dynamo else 'script'}",
                classifier(activation),
                drawn(4, 2, 3) * 2,
                [name, name],
                dynamo=dynamo,
            )
    for dynamo in (False, True):
        exporter = "dynamo" if dynamo else "script"
        softmax = classifier(nn.ReLU(), nn.Softmax(1))
        by_torch(f"torch-softmax-{exporter}", softmax, drawn(4, 2, 3), ["relu"] * 2, "softmax",
                 softmax[:-1], dynamo)  # fmt: skip
        sigmoid = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
        by_torch(f"torch-sigmoid-{exporter}", sigmoid, drawn(4, 3), ["tanh"], "sigmoid",
                 sigmoid[:-1], dynamo)  # fmt: skip
        images = RNG.integers(0, 256, (4, 2, 2, 2))
        inside = Normalized(nn.Sequential(nn.Linear(8, 5), nn.GELU(), nn.Linear(5, 3)))
        by_torch(f"torch-normalized-{exporter}", inside, images, ["gelu"], dynamo=dynamo)
        old = classifier(nn.GELU())
        by_torch(f"torch-opset17-{exporter}", old, drawn(4, 2, 3), ["gelu"] * 2, dynamo=dynamo,
                 opset_version=17 if not dynamo else 18)  # fmt: skip
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).to(dtype)
        rows = drawn(4, 3)
        by_torch(f"torch-{name}", model, rows, ["relu"])
        # The rounding of sums in 16 bits is not the network's: compare in float64.
        with torch.no_grad():
            exact = model.to(torch.float64)(torch.tensor(rows, dtype=torch.float64))
        record(f"torch-{name}", rows, exact, ["relu"])


# By scikit-learn ------------------------------------------------------------------------------


def write_scikit_learn():
    """A pipeline whose scaler is in the graph, beside the labels and a dictionary of classes."""
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    scaler, network = StandardScaler(), MLPClassifier((5,), "logistic", max_iter=20, random_state=0)
    pipeline = make_pipeline(scaler, network).fit(x, y)
    name = "scikit-learn-pipeline"
    (FOLDER / f"{name}.onnx").write_bytes(to_onnx(pipeline, x[:1]).SerializeToString())
    rows = x[::30]
    (first, second), (b, c) = network.coefs_, network.intercepts_
    hidden = 1 / (1 + np.exp(-(scaler.transform(rows) @ first + b)))
    record(name, rows, hidden @ second + c, ["sigmoid"], "softmax")
    EXPECTED[name]["framework"] = "scikit-learn"


# By hand --------------------------------------------------------------------------------------


def constant(name, values):
    return numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name)


def by_hand(name, nodes, constants, rows, activations, output=None, columns=False, shape=None):
    """Write a graph from the input x to the results y and, for its logits, z.

    The graph's inputs are the columns of an array, if `columns` is true.
    """
    inputs = rows.T if columns else rows
    shape = shape or [inputs.shape[0], "n"] if columns else ["n", *inputs.shape[1:]]
    made = [helper.make_node(*node[:3], **(node[3] if node[3:] else {})) for node in nodes]
    results = ["y", "z"] if any("y" in node.output for node in made) else ["z"]
    graph = helper.make_graph(
        made,
        name,
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(each, FLOAT, None) for each in results],
        constants,
    )
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, FOLDER / f"{name}.onnx")
    session = onnxruntime.InferenceSession(model.SerializeToString())
    logits = session.run(["z"], {"x": inputs.astype(np.float32)})[0]
    is_turned = logits.shape[0] != len(rows)
    record(name, rows, logits.T if is_turned else logits, activations, output)


def norm_constants(name, size):
    values = {"s": RNG.uniform(0.5, 2, size), "b": drawn(size), "m": drawn(size)}
    values["v"] = RNG.uniform(0.5, 2, size)
    return [constant(name + key, each) for key, each in values.items()]


def typed(name, kind, values, raw):
    """Return a tensor with raw or typed data."""
    if not raw:
        return helper.make_tensor(name, kind, values.shape, values.ravel().tolist())
    forms = {TensorProto.FLOAT: "<f4", TensorProto.DOUBLE: "<f8", TensorProto.FLOAT16: "<f2"}
    if kind == TensorProto.BFLOAT16:
        content = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    else:
        content = values.astype(forms[kind]).tobytes()
    return helper.make_tensor(name, kind, values.shape, content, raw=True)


def write_by_hand():
    w, b, v, c = drawn(4, 6), drawn(4), drawn(3, 4), drawn(3)
    rows = drawn(5, 6)
    by_hand(
        "hand-weights-on-the-left",
        [
            ("Gemm", ["W", "x", "b"], ["h"], {"transA": 1, "alpha": 0.5, "beta": 2.0}),
            ("Relu", ["h"], ["a"]),
            ("MatMul", ["V", "a"], ["z"]),
            ("Softmax", ["z"], ["y"], {"axis": 0}),
        ],
        [constant("W", w.T), constant("b", b[:, None]), constant("V", v)],
        rows, ["relu"], "softmax", columns=True,
    )  # fmt: skip
    by_hand(
        "hand-transposed-rows",
        [
            ("Gemm", ["x", "W", "b"], ["h"], {"transA": 1, "transB": 1}),
            ("Tanh", ["h"], ["a"]),
            ("Gemm", ["a", "V", "c"], ["z"], {"alpha": 2.0, "beta": 0.5}),
        ],
        [constant("W", w), constant("b", b), constant("V", v.T), constant("c", c[None])],
        rows, ["tanh"], columns=True,
    )  # fmt: skip
    by_hand(
        "hand-turned-weights",
        [
            ("Transpose", ["W"], ["Wt"], {"perm": [1, 0]}),
            ("MatMul", ["x", "Wt"], ["h"]),
            ("Add", ["b", "h"], ["hb"]),
            ("LeakyRelu", ["hb"], ["a"], {"alpha": 0.01}),
            ("Identity", ["V"], ["V2"]),
            ("Gemm", ["a", "V2"], ["z"], {"transB": 1}),
            ("LogSoftmax", ["z"], ["y"]),
        ],
        [constant("W", w), constant("b", b), constant("V", v)],
        rows, ["leaky-relu"], "softmax",
    )  # fmt: skip
    by_hand(
        "hand-norms",
        [
            ("Sub", ["x", "shift"], ["x1"]),
            ("BatchNormalization", ["x1", "As", "Ab", "Am", "Av"], ["x2"], {"epsilon": 1e-3}),
            ("MatMul", ["x2", "W"], ["h"]),
            ("Add", ["h", "b"], ["hb"]),
            ("Clip", ["hb", "zero", "six"], ["a"]),
            ("BatchNormalization", ["a", "Bs", "Bb", "Bm", "Bv"], ["a1"]),
            ("Dropout", ["a1"], ["a2"]),
            ("Gemm", ["a2", "V", "c"], ["z"]),
            ("Sigmoid", ["z"], ["p"]),
            ("Sub", ["one", "p"], ["q"]),
            ("Concat", ["q", "p"], ["y"], {"axis": 1}),
        ],
        [
            constant("shift", [0.5]), *norm_constants("A", 6), *norm_constants("B", 4),
            constant("W", w.T), constant("b", b), constant("zero", 0), constant("six", 6),
            constant("V", drawn(4, 1)), constant("c", [0.3]), constant("one", 1),
        ],
        rows, ["relu6"], "sigmoid",
    )  # fmt: skip
    by_hand(
        "hand-scaled",
        [
            ("Div", ["x", "deviation"], ["x1"]),
            ("MatMul", ["x1", "W"], ["h"]),
            ("Mul", ["h", "half"], ["h1"]),
            ("Sigmoid", ["h1"], ["a"]),
            ("Mul", ["a", "two"], ["a1"]),
            ("Sub", ["a1", "one"], ["a2"]),
            ("Gemm", ["a2", "V", "c"], ["l"], {"transB": 1}),
            ("Div", ["l", "temperature"], ["z"]),
            ("Softmax", ["z"], ["y"]),
        ],
        [
            constant("deviation", RNG.uniform(0.5, 2, 6)), constant("W", w.T), constant("V", v),
            constant("c", c), constant("half", 0.5), constant("two", 2), constant("one", 1),
            constant("temperature", 1.7),
        ],
        rows, ["sigmoid"], "softmax",
    )  # fmt: skip
    for kind in ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"):
        number = TensorProto.DataType.Value(kind)
        for raw in (False, True):
            by_hand(
                f"hand-{'raw' if raw else 'typed'}-{kind.lower()}",
                [
                    ("Constant", [], ["b"], {"value": typed("b", number, b, raw)}),
                    ("Cast", ["W"], ["Wf"], {"to": FLOAT}),
                    ("Cast", ["b"], ["bf"], {"to": FLOAT}),
                    ("Gemm", ["x", "Wf", "bf"], ["z"], {"transB": 1}),
                ],
                [typed("W", number, w, raw)],
                rows, [],
            )  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    FOLDER.mkdir(exist_ok=True)
    write_torch()
    write_scikit_learn()
    write_by_hand()
    (FOLDER / "expected.json").write_text(json.dumps(EXPECTED), encoding="utf-8")
