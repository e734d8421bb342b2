"""Check the measurements of `actcli diagnose` against an independent computation in PyTorch.

    pip install actcli torch
    python benchmarks/check_diagnosis_against_torch.py

Two networks train on MNIST: the default configuration, and the example whose ReLUs die. Each is
loaded into `torch.nn.Sequential` in float64. All 10,000 test images pass through it at once. Its
tensors and their `.grad` give the norm of δ in each layer, the gradients of weights and biases, the
dead units, confidence, entropy, likelihood and calibration error. LBFGS finds the best temperature.
`actcli diagnose --split test --json` must report the same numbers.

Each line shows one quantity of one layer: the value of PyTorch and the relative difference. The
exit code is 1 if a difference is above 1e-4 or a count differs. The script takes under a minute.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from actcli import files

TOLERANCE = 1e-4
BINS = 15
NETWORKS = {"default": 1, "dying-relu": 2}  # configuration: number of epochs
OF_LAYER = ("delta_norm", "weight_grad_norm", "bias_grad_norm")
OF_OUTPUTS = ("accuracy", "nll", "confidence", "entropy", "ece", "mce", "temperature")


def actcli(*args):
    """Run a command with `--json`; return its result."""
    command = ["actcli", *args, "--json", "--quiet"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def read_test():
    """Return MNIST's test images (N, 784) from 0 to 1 and their labels (N,)."""
    folder = files.packaged_folder("data") / "mnist"
    images, labels = (
        np.frombuffer(gzip.decompress((folder / f"t10k-{kind}-ubyte.gz").read_bytes()), np.uint8)
        for kind in ("images-idx3", "labels-idx1")
    )
    pixels = images[16:].reshape(-1, 784).astype(np.float64) / 255
    return torch.tensor(pixels), torch.tensor(labels[8:].astype(np.int64))


def sequential(path):
    """Return the ReLU network of a model file as a PyTorch module in float64."""
    tensors = load_file(path)
    layers = []
    for index in range(len(tensors) // 2):
        units, inputs = tensors[f"{2 * index}.weight"].shape
        layers += [nn.Linear(inputs, units), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    model.load_state_dict(tensors)
    return model.double()


def calibration(confidence, correct):
    """Return the expected and the maximum calibration error over bins of equal width."""
    edges = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)
    bins = (torch.bucketize(confidence, edges, right=True) - 1).clamp(max=BINS - 1)
    expected = largest = 0.0
    for index in range(BINS):
        inside = bins == index
        if inside.any():
            gap = float((confidence[inside].mean() - correct[inside].double().mean()).abs())
            expected += gap * float(inside.double().mean())
            largest = max(largest, gap)
    return expected, largest


def best_temperature(logits, labels):
    """Return the temperature that maximises the likelihood: logits are divided by it."""
    temperature = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [temperature],
        max_iter=200,
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        loss = functional.cross_entropy(logits / temperature, labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    return float(temperature.detach())


def examine(model, images, labels):
    """Return measurements of each layer, dead units per layer, and measurements of the outputs."""
    linear = [module for module in model if isinstance(module, nn.Linear)]
    pre_activations = []  # z of each linear layer
    hooks = [
        layer.register_forward_hook(lambda _, _in, z: pre_activations.append(z)) for layer in linear
    ]
    logits = model(images)
    for hook in hooks:
        hook.remove()
    for z in pre_activations:
        z.retain_grad()
    # With the sum of the losses, not their mean, the gradient of z is δ, row by row.
    functional.cross_entropy(logits, labels, reduction="sum").backward()
    layers = [
        {
            "delta_norm": float(z.grad.norm(dim=1).mean()),
            "weight_grad_norm": float(layer.weight.grad.norm()) / len(labels),
            "bias_grad_norm": float(layer.bias.grad.norm()) / len(labels),
        }
        for z, layer in zip(pre_activations, linear, strict=True)
    ]
    dead = [int((z <= 0).all(dim=0).sum()) for z in pre_activations[:-1]]
    logits = logits.detach()
    p = logits.softmax(dim=1)
    confidence, predictions = p.max(dim=1)
    ece, mce = calibration(confidence, predictions == labels)
    outputs = {
        "accuracy": float((predictions == labels).double().mean()),
        "nll": float(functional.cross_entropy(logits, labels)),
        "confidence": float(confidence.mean()),
        "entropy": float(torch.special.entr(p).sum(dim=1).mean()),
        "ece": ece,
        "mce": mce,
        "temperature": best_temperature(logits, labels),
    }
    return layers, dead, outputs


def differences(ours, theirs):
    """Yield the name, PyTorch's value and the relative difference of each quantity."""
    layers, dead, outputs = theirs
    for name in OF_LAYER:
        for number, (row, expected) in enumerate(zip(ours["gradients"], layers, strict=True), 1):
            yield f"{name}, layer {number}", expected[name], relative(row[name], expected[name])
    for number, (row, expected) in enumerate(zip(ours["units"], dead, strict=True), 1):
        yield f"dead, layer {number}", expected, relative(row["dead"], expected)
    for name in OF_OUTPUTS:
        yield name, outputs[name], relative(ours["softmax"][name], outputs[name])


def relative(ours, theirs):
    """Return |ours − theirs| / |theirs|; 0 if they are equal, infinity if only theirs is 0."""
    if ours == theirs:
        return 0.0
    return abs(ours - theirs) / abs(theirs) if theirs else float("inf")


def main():
    """Check both networks; exit with 1 if a difference is too large."""
    torch.set_num_threads(1)
    images, labels = read_test()
    largest, dying = 0.0, 0
    with tempfile.TemporaryDirectory() as temporary:
        for config, epochs in NETWORKS.items():
            result = actcli("train", config, "--epochs", str(epochs), "--runs-dir", temporary)
            run = Path(result["run"])
            ours = actcli("diagnose", str(run), "--split", "test")
            theirs = examine(sequential(run / "model.safetensors"), images, labels)
            dying += sum(theirs[1])
            print(f"{f'{config}, {epochs} epochs':40}{'PyTorch':>14}{'difference':>14}")
            for name, value, difference in differences(ours, theirs):
                print(f"  {name:38}{value:14.6g}{difference:14.1e}", flush=True)
                largest = max(largest, difference)
            print()
    if not dying:
        sys.exit("no unit died, so the counts of dead units prove nothing")
    print(f"largest difference {largest:.1e}, allowed {TOLERANCE:.0e}")
    sys.exit(largest > TOLERANCE)


if __name__ == "__main__":
    main()
