"""Write torch_steps.npz: what PyTorch makes of a few small networks in five steps of training.

The tests of actcli.nn replay each case and compare. They need no PyTorch; this script does, and it
needs nothing of actcli, so that no mistake can be on both sides:

    python tests/oracles/make_torch_steps.py

Made with Python 3.11, PyTorch 2.13.0 (CPU) and NumPy 2.4.6. Every case trains a network of
12-9-8-K units on all of 20 random rows at once, in float32 and in float64. The file holds

    cases                    a JSON object: the name of each case, and what it consists of
    inputs, labels/CLASSES   the rows
    start/UNITS              the parameters before the first step: weights, then biases
    end/CASE/DTYPE           the parameters after the fifth step
    losses/CASE/DTYPE        the loss before each step
    activation/z             a grid with the kinks 0 and 6 in it
    activation/NAME          f and f' on the grid
    schedule/NAME/TOTAL/WARMUP  the share of the peak rate at each step
"""

import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler

STEPS = 5
ROWS = 20
SIZES = (12, 9, 8)
CLASSES = (2, 5)
DTYPES = {"float32": torch.float32, "float64": torch.float64}
PLAIN = {
    "activation": "tanh",
    "classes": 5,
    "loss": "cross-entropy",
    "output": "softmax",
    "label_smoothing": 0.0,
    "optimizer": "sgd",
    "options": {},
    "learning_rate": 0.1,
    "clip_norm": None,
}

ACTIVATIONS = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky-relu": lambda: nn.LeakyReLU(0.01),
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": lambda: nn.GELU(approximate="none"),
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "mish": nn.Mish,
    "softsign": nn.Softsign,
    "relu6": nn.ReLU6,
}
OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
OUTPUTS = {
    "softmax": lambda scores: functional.softmax(scores, dim=1),
    "sigmoid": torch.sigmoid,
    "identity": lambda scores: scores,
}


def make_cases():
    """What each case changes of the plain one."""
    cases = {f"activation {name}": {"activation": name} for name in ACTIVATIONS}
    for classes in CLASSES:
        for smoothing in (0.0, 0.1):
            for loss, output in (
                ("cross-entropy", "softmax"),
                ("kl-divergence", "softmax"),
                ("binary-cross-entropy", "sigmoid"),
            ):
                cases[f"{loss} {output} {classes} smoothing {smoothing}"] = {
                    "loss": loss,
                    "output": output,
                    "classes": classes,
                    "label_smoothing": smoothing,
                }
        for loss in ("sse", "mse"):
            for output in OUTPUTS:
                cases[f"{loss} {output} {classes}"] = {
                    "loss": loss,
                    "output": output,
                    "classes": classes,
                }
    for name, optimizer, rate, options in (
        ("sgd", "sgd", 0.2, {}),
        ("sgd momentum", "sgd", 0.1, {"momentum": 0.9}),
        ("sgd nesterov", "sgd", 0.1, {"momentum": 0.9, "nesterov": True}),
        ("sgd decay", "sgd", 0.1, {"momentum": 0.9, "weight_decay": 0.05}),
        ("rmsprop", "rmsprop", 0.01, {}),
        ("rmsprop decay", "rmsprop", 0.01, {"weight_decay": 0.05}),
        ("adagrad", "adagrad", 0.01, {}),
        ("adagrad decay", "adagrad", 0.01, {"weight_decay": 0.05}),
        ("adam", "adam", 0.001, {}),
        ("adam betas", "adam", 0.01, {"betas": (0.8, 0.95)}),
        ("adam decay", "adam", 0.01, {"weight_decay": 0.05}),
        ("adamw", "adamw", 0.001, {"weight_decay": 0.01}),
        ("adamw betas", "adamw", 0.01, {"betas": (0.8, 0.95), "weight_decay": 0.2}),
    ):
        cases[f"optimizer {name}"] = {
            "optimizer": optimizer,
            "learning_rate": rate,
            "options": options,
        }
    for optimizer in ("sgd", "adam"):
        cases[f"clipped {optimizer}"] = {"optimizer": optimizer, "clip_norm": 0.05}
    return {name: PLAIN | changes for name, changes in cases.items()}


def units_of(case):
    """One unit for two classes where each unit is a question of its own."""
    single = case["loss"] == "binary-cross-entropy" and case["classes"] == 2
    return 1 if single else case["classes"]


def loss_of(case, scores, labels):
    """The mean loss, with PyTorch's own functions."""
    classes, smoothing = case["classes"], case["label_smoothing"]
    one_hot = functional.one_hot(labels, classes).to(scores.dtype)
    if case["loss"] == "cross-entropy":
        return functional.cross_entropy(scores, labels, label_smoothing=smoothing)
    if case["loss"] == "kl-divergence":
        smooth = one_hot * (1 - smoothing) + smoothing / classes
        log_outputs = functional.log_softmax(scores, dim=1)
        return functional.kl_div(log_outputs, smooth, reduction="batchmean")
    if case["loss"] == "binary-cross-entropy":
        answers = one_hot if scores.shape[1] > 1 else labels.to(scores.dtype)[:, None]
        answers = answers * (1 - smoothing) + smoothing / 2
        return functional.binary_cross_entropy_with_logits(scores, answers)
    outputs = OUTPUTS[case["output"]](scores)
    if case["loss"] == "mse":
        return functional.mse_loss(outputs, one_hot)
    return functional.mse_loss(outputs, one_hot, reduction="sum") / len(labels)


def make_model(case, start):
    """The network, with the weights and then the biases of the vector."""
    sizes = (*SIZES, units_of(case))
    linear = [nn.Linear(a, b, dtype=start.dtype) for a, b in itertools.pairwise(sizes)]
    weights, biases = [each.weight for each in linear], [each.bias for each in linear]
    nn.utils.vector_to_parameters(start.clone(), weights + biases)
    layers = [linear[0]]
    for each in linear[1:]:
        layers += [ACTIVATIONS[case["activation"]](), each]
    return nn.Sequential(*layers), weights, biases


def train(case, inputs, labels, start):
    """The losses of five steps and the parameters after them."""
    model, weights, biases = make_model(case, start)
    options = dict(case["options"])
    decay = options.pop("weight_decay", 0.0)
    groups = [
        {"params": weights, "weight_decay": decay},
        {"params": biases, "weight_decay": 0.0},
    ]
    optimizer = OPTIMIZERS[case["optimizer"]](groups, lr=case["learning_rate"], **options)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(case, model(inputs), labels)
        loss.backward()
        if case["clip_norm"] is not None:
            nn.utils.clip_grad_norm_(model.parameters(), case["clip_norm"])
        optimizer.step()
        losses.append(loss.item())
    return losses, nn.utils.parameters_to_vector(weights + biases).detach().numpy()


def activation_on(name, grid):
    """f and f' on the grid, shape (2, N)."""
    z = torch.tensor(grid, requires_grad=True)
    y = ACTIVATIONS[name]()(z)
    y.sum().backward()
    return np.stack([y.detach().numpy(), z.grad.numpy()])


def make_schedule(name, optimizer, total, warmup):
    """PyTorch's scheduler of that name over `total` steps, after a linear rise if there is one."""
    if name == "one-cycle":
        share = warmup / total if warmup else 0.3
        return lr_scheduler.OneCycleLR(
            optimizer, max_lr=1.0, total_steps=total, pct_start=share, cycle_momentum=False
        )
    rest = total - warmup
    schedule = {
        "constant": lambda: lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=rest),
        "linear": lambda: lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=rest),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, T_max=rest),
        "exponential": lambda: lr_scheduler.ExponentialLR(optimizer, gamma=0.01 ** (1 / rest)),
    }[name]()
    if not warmup:
        return schedule
    rise = lr_scheduler.LinearLR(optimizer, 1 / warmup, 1.0, total_iters=warmup - 1)
    return lr_scheduler.SequentialLR(optimizer, [rise, schedule], milestones=[warmup])


def shares_of(name, total, warmup):
    """The learning rate of each step where the peak is 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make_schedule(name, optimizer, total, warmup)
    shares = []
    for _ in range(total):
        shares.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warnings.catch_warnings():
            # SequentialLR still gives its parts the step number, which PyTorch deprecates.
            warnings.filterwarnings("ignore", "The epoch parameter", UserWarning)
            if len(shares) < total:
                schedule.step()
    return np.array(shares)


def main():
    rng = np.random.default_rng(20_240_601)
    arrays = {"inputs": rng.normal(size=(ROWS, SIZES[0])).astype(np.float32)}
    for classes in CLASSES:
        arrays[f"labels/{classes}"] = np.arange(ROWS) % classes
    for units in (1, *CLASSES):
        sizes = (*SIZES, units)
        count = sum(a * b + b for a, b in itertools.pairwise(sizes))
        arrays[f"start/{units}"] = rng.normal(0, 0.5, count).astype(np.float32)
    cases = make_cases()
    for name, case in cases.items():
        for dtype, kind in DTYPES.items():
            inputs = torch.tensor(arrays["inputs"], dtype=kind)
            start = torch.tensor(arrays[f"start/{units_of(case)}"], dtype=kind)
            labels = torch.tensor(arrays[f"labels/{case['classes']}"])
            losses, end = train(case, inputs, labels, start)
            arrays[f"losses/{name}/{dtype}"], arrays[f"end/{name}/{dtype}"] = losses, end
    arrays["activation/z"] = np.linspace(-8, 8, 65)
    for name in ACTIVATIONS:
        arrays[f"activation/{name}"] = activation_on(name, arrays["activation/z"])
    for name in ("constant", "linear", "cosine", "exponential", "one-cycle"):
        for total, warmup in ((10, 0), (100, 0), (10, 4), (100, 7)):
            arrays[f"schedule/{name}/{total}/{warmup}"] = shares_of(name, total, warmup)
    arrays["cases"] = json.dumps(cases)
    np.savez_compressed(Path(__file__).with_name("torch_steps.npz"), **arrays)


if __name__ == "__main__":
    main()
