"""Check the files of `actcli export` in their frameworks: ONNX, PyTorch and scikit-learn.

    pip install '.[bench]'
    python benchmarks/check_exports.py
    python benchmarks/check_exports.py --write

Small networks of every activation, output and normalization are exported. Each ONNX file must pass
`onnx.checker` with its check of shapes. Then the lines of Python that the command prints are run in
onnxruntime, PyTorch and scikit-learn, on raw inputs; their outputs must be those of actcli within
1e-5. For onnxruntime, images of MNIST follow in a network of the default size.

`--write` stores the outputs of onnxruntime and the digests of the files in
`tests/oracles/exports.json`, with which a test compares the files and outputs of today. The exit
code is 1 if a difference is too large. The script takes ten seconds.
"""

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import sklearn
import torch
from exported_models import STORED, cases, digest

import actcli
from actcli.store.export import Exported

TOLERANCE = 1e-5
RESULTS = ("probabilities", "outputs", "logits")  # variables that the printed lines set


def used(exported: Exported, rows: object) -> np.ndarray:
    """Return the outputs that the printed lines give for some rows."""
    names = {"rows": rows}
    exec(exported.usage, names)  # noqa: S102 - lines that the command prints for users
    outputs = next(names[name] for name in RESULTS if name in names)
    return outputs.detach().numpy() if isinstance(outputs, torch.Tensor) else outputs


def main() -> int:
    warnings.simplefilter("error")
    versions = {"onnx": onnx, "onnxruntime": onnxruntime, "torch": torch, "scikit-learn": sklearn}
    print(", ".join(f"{name} {module.__version__}" for name, module in versions.items()))
    os.chdir(tempfile.mkdtemp(prefix="exports-"))
    worst = dict.fromkeys(("onnx", "torch", "npz"), 0.0)
    counts = dict.fromkeys(worst, 0)
    record, refused = {}, []
    for index, (name, model, rows) in enumerate(cases()):
        expected = model.predict_proba(rows)
        for target in worst:
            try:
                suffix = {"onnx": "onnx", "torch": "py", "npz": "npz"}[target]
                exported = actcli.export(model, target, f"model_{index}.{suffix}")
            except actcli.ActcliError:  # scikit-learn has four activations
                refused.append(name)
                continue
            if target == "onnx":
                onnx.checker.check_model(str(exported.files[0].path), full_check=True)
            outputs = used(exported, rows)
            if target == "onnx":
                record[name] = {"sha256": digest(model), "outputs": outputs.tolist()}
            difference = float(np.abs(outputs - expected).max())
            worst[target], counts[target] = max(worst[target], difference), counts[target] + 1
            if difference > TOLERANCE:
                print(f"{name}, {target}: differs by {difference:.1e}")
    data = actcli.load_data("mnist")
    model = actcli.Model.create(actcli.Config().resolve(), data)
    pixels = data.test.pixels[data.test.rows[:1000]]
    outputs = used(actcli.export(model, "onnx", "mnist.onnx"), pixels)
    worst["mnist"] = float(np.abs(outputs - model.predict_proba(pixels)).max())
    counts["mnist"] = 1
    for target, difference in worst.items():
        print(f"{target:6} {counts[target]:3} networks, largest difference {difference:.1e}")
    print(f"refused for scikit-learn: {len(refused)} networks")
    if "--write" in sys.argv:
        Path(STORED).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return max(worst.values()) > TOLERANCE


if __name__ == "__main__":
    sys.exit(main())
