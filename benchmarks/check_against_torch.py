"""Check the training of actcli against PyTorch: same network, same images, same steps.

    pip install actcli torch
    python benchmarks/check_against_torch.py

First, five steps with all rows in one mini-batch. `actcli train --epochs 0` saves an initial
network, which is loaded into `torch.nn.Sequential`. Both then train, and their parameters are
compared: for every activation, every legal pair of loss and output, and every optimizer with all of
its hyperparameters.

Second, the logits. Networks that trained on MNIST for an epoch are loaded into PyTorch. Their
logits of 1,000 test images are compared with those of actcli.nn.

Each line shows one case: the largest difference, and the largest change of a parameter or the
largest logit. The exit code is 1 if a difference is above 1e-4. The script takes under a minute.
"""

import gzip
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from actcli import files
from actcli.nn import activations, losses, optimizers
from actcli.nn.network import MLP

TOLERANCE = 1e-4
STEPS = 5
ROWS = 600  # of training and of test images each
HIDDEN = (32, 16)

ACTIVATIONS = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "mish": nn.Mish,
    "softsign": nn.Softsign,
    "relu6": nn.ReLU6,
}
OUTPUTS = {
    "softmax": lambda logits: functional.softmax(logits, dim=1),
    "sigmoid": torch.sigmoid,
    "identity": lambda logits: logits,
}
PAIRS = [
    ("cross-entropy", "softmax"),
    ("kl-divergence", "softmax"),
    ("binary-cross-entropy", "sigmoid"),
    *itertools.product(("sse", "mse"), OUTPUTS),
]
OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
# Optimizer, options of actcli, and the same options for PyTorch.
VARIANTS = [
    ("sgd", "--momentum 0", {}),
    ("sgd", "--momentum 0.9", {"momentum": 0.9}),
    ("sgd", "--momentum 0.9 --nesterov", {"momentum": 0.9, "nesterov": True}),
    ("sgd", "--momentum 0.9 --weight-decay 0.1", {"momentum": 0.9, "weight_decay": 0.1}),
    ("sgd", "--momentum 0.9 --clip-norm 0.1", {"momentum": 0.9, "clip": 0.1}),
    ("rmsprop", "", {}),
    ("rmsprop", "--weight-decay 0.1", {"weight_decay": 0.1}),
    ("adagrad", "", {}),
    ("adagrad", "--weight-decay 0.1", {"weight_decay": 0.1}),
    ("adam", "", {}),
    ("adam", "--betas 0.8,0.95", {"betas": (0.8, 0.95)}),
    ("adam", "--weight-decay 0.1", {"weight_decay": 0.1}),
    ("adam", "--clip-norm 0.1", {"clip": 0.1}),
    ("adamw", "", {"weight_decay": 0.01}),
    ("adamw", "--weight-decay 0.2 --betas 0.8,0.95", {"weight_decay": 0.2, "betas": (0.8, 0.95)}),
]
RATES = {"sgd": 0.1, "rmsprop": 0.001, "adagrad": 0.01, "adam": 0.001, "adamw": 0.001}


def read(part):
    """Return the images (N, 784) and labels (N,) of the MNIST files that actcli contains."""
    folder = files.packaged_folder("data") / "mnist"
    images, labels = (
        np.frombuffer(gzip.decompress((folder / f"{part}-{kind}-ubyte.gz").read_bytes()), np.uint8)
        for kind in ("images-idx3", "labels-idx1")
    )
    return images[16:].reshape(-1, 784), labels[8:]


def train(folder, *options):
    """Train with actcli; return the path of the model file."""
    command = ["actcli", "train", "--json", "--quiet", "--runs-dir", str(folder), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Path(json.loads(done.stdout)["run"]) / "model.safetensors"


def sequential(path):
    """Return the model of a file as a PyTorch module, and the description in its header."""
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["actcli"])
    tensors = load_file(path)
    count = len(tensors) // 2
    layers = []
    for index in range(count):
        units, inputs = tensors[f"{2 * index}.weight"].shape
        layers.append(nn.Linear(inputs, units))
        if index < count - 1:
            layers.append(ACTIVATIONS[about["activations"][index]]())
    model = nn.Sequential(*layers)
    model.load_state_dict(tensors)
    return model, about


def loss_of(case, logits, labels, classes):
    """Return the mean loss, computed with PyTorch's functions."""
    loss, smoothing = case["loss"], case["smoothing"]
    one_hot = functional.one_hot(labels, classes).float()
    if loss == "cross-entropy":
        return functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    if loss == "kl-divergence":
        target = one_hot * (1 - smoothing) + smoothing / classes
        return functional.kl_div(functional.log_softmax(logits, 1), target, reduction="batchmean")
    if loss == "binary-cross-entropy":
        target = one_hot if logits.shape[1] > 1 else labels.float()[:, None]
        target = target * (1 - smoothing) + smoothing / 2
        return functional.binary_cross_entropy_with_logits(logits, target)
    outputs = OUTPUTS[case["output"]](logits)
    if loss == "mse":
        return functional.mse_loss(outputs, one_hot)
    return functional.mse_loss(outputs, one_hot, reduction="sum") / len(labels)


def flat(model):
    """Return a copy of all parameters as one vector."""
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def five_steps(folder, data, case):
    """Return the largest difference after five steps, and the largest change of a parameter."""
    name = case["optimizer"]
    common = [
        *("--dataset", str(data), "--validation", "0", "--batch-size", str(ROWS)),
        *("--hidden", ",".join(map(str, HIDDEN)), "--activation", case["activation"]),
        *("--loss", case["loss"], "--output", case["output"]),
        *("--label-smoothing", str(case["smoothing"])),
        *("--bias-init", "normal", "--schedule", "constant", "--optimizer", name),
        *("--lr", str(RATES[name]), *case["actcli"].split()),
        *(("--classes", case["classes"]) if case["classes"] else ()),
    ]
    model, about = sequential(train(folder, *common, "--epochs", "0"))
    ours, _ = sequential(train(folder, *common, "--epochs", str(STEPS)))

    arrays = np.load(data)
    classes = np.array([int(name) for name in about["classes"]])
    selected = np.isin(arrays["y_train"], classes)
    inputs = torch.tensor(arrays["x_train"][selected] / np.float32(255))
    labels = torch.tensor((arrays["y_train"][selected][:, None] == classes).argmax(axis=1))
    options = dict(case["torch"])
    clip, decay = options.pop("clip", None), options.pop("weight_decay", 0.0)
    groups = [
        {"params": [linear.weight for linear in model[::2]], "weight_decay": decay},
        {"params": [linear.bias for linear in model[::2]], "weight_decay": 0.0},
    ]
    optimizer = OPTIMIZERS[name](groups, lr=RATES[name], **options)
    start = flat(model)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss_of(case, model(inputs), labels, len(classes)).backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
    return float((flat(model) - flat(ours)).abs().max()), float((flat(model) - start).abs().max())


def logits_of(folder, activation):
    """Return the largest difference of the logits of 1,000 test images, and the largest logit."""
    path = train(folder, "--activation", activation, "--epochs", "1")
    model, about = sequential(path)
    images = read("t10k")[0][:1000] / np.float32(255)
    tensors = load_file(path)
    network = MLP((784, 256, 128, 10), about["activations"])
    for index, layer in enumerate(network.layers):
        layer.weights[...] = tensors[f"{2 * index}.weight"].numpy()
        layer.biases[...] = tensors[f"{2 * index}.bias"].numpy()
    ours = network.forward(images, network.trace(len(images)))
    with torch.no_grad():
        theirs = model(torch.tensor(images)).numpy()
    return float(np.abs(ours - theirs).max()), float(np.abs(theirs).max())


def cases():
    """Yield the name of each case and the case: a plain one with some changes."""
    plain = {
        "activation": "tanh",
        "loss": "cross-entropy",
        "output": "softmax",
        "smoothing": 0.0,
        "classes": "",
        "optimizer": "sgd",
        "actcli": "--momentum 0",
        "torch": {},
    }
    for name in ACTIVATIONS:
        yield f"activation {name}", plain | {"activation": name}
    for (loss, output), classes in itertools.product(PAIRS, ("", "3,8")):
        changes = {"loss": loss, "output": output, "classes": classes}
        name = f"{loss} with {output}, {2 if classes else 10} classes"
        yield name, plain | changes
        if loss not in {"sse", "mse"}:
            yield f"{name}, smoothed", plain | changes | {"smoothing": 0.1}
    for name, options, torch_options in VARIANTS:
        changes = {"optimizer": name, "actcli": options, "torch": torch_options}
        yield f"{name} {options}".strip(), plain | changes


def main():
    """Check all cases; exit with 1 if a difference is too large."""
    torch.set_num_threads(1)
    legal = {(name, link) for name, loss in losses.LOSSES.items() for link in loss.outputs}
    if (set(ACTIVATIONS), set(PAIRS), set(OPTIMIZERS)) != (
        set(activations.ACTIVATIONS),
        legal,
        set(optimizers.OPTIMIZERS),
    ):
        sys.exit("the tables of this script differ from the registries of actcli")
    largest = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = folder / "subset.npz"
        (x_train, y_train), (x_test, y_test) = read("train"), read("t10k")
        np.savez(
            data,
            x_train=x_train[:ROWS],
            y_train=y_train[:ROWS].astype(int),
            x_test=x_test[:ROWS],
            y_test=y_test[:ROWS].astype(int),
        )
        print(f"{'parameters after five steps':58}{'difference':>12}{'change':>12}")
        for name, case in cases():
            difference, moved = five_steps(folder / "runs", data, case)
            print(f"{name:58}{difference:12.1e}{moved:12.1e}", flush=True)
            largest = max(largest, difference)
        print(f"\n{'logits of 1,000 test images':58}{'difference':>12}{'largest':>12}")
        for name in ("relu", "gelu", "mish", "selu"):
            difference, size = logits_of(folder / "runs", name)
            print(f"{name:58}{difference:12.1e}{size:12.1e}", flush=True)
            largest = max(largest, difference)
    print(f"\nlargest difference {largest:.1e}, allowed {TOLERANCE:.0e}")
    sys.exit(largest > TOLERANCE)


if __name__ == "__main__":
    main()
