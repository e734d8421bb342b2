"""Write torch_models/: small networks that PyTorch saved, in every layout, and their logits.

The tests of actcli.formats read each file and compare the logits. They need no PyTorch; this script
does, and it needs nothing of actcli:

    python tests/oracles/make_torch_models.py

Made with Python 3.11, PyTorch 2.13.0 (CPU), safetensors 0.8.0 and NumPy 2.4.6. The folder holds the
files and expected.npz:

    cases          a JSON object: the name of each file that can be read, and its activation
    inputs         20 rows of 6 inputs
    logits/FILE    what PyTorch computes for the inputs from the weights in the file, in float64

The files whose names start with "refused" hold no tensors alone: a whole module, the format before
PyTorch 1.6, a TorchScript module, a program of torch.export, a checkpoint with a NumPy scalar.
"""

import copy
import json
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(__file__).parent / "torch_models"
INPUTS, HIDDEN, CLASSES, ROWS = 6, 5, 3, 20


def mlp(*, bias: bool = True, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(INPUTS, HIDDEN, bias=bias),
        activation(),
        nn.Linear(HIDDEN, 4, bias=bias),
        activation(),
        nn.Linear(4, CLASSES, bias=bias),
    )


class Named(nn.Module):
    """Layers whose names are in no alphabetical order, with two of equal shapes."""

    def __init__(self, *, norm: bool) -> None:
        super().__init__()
        self.input_layer = nn.Linear(INPUTS, HIDDEN)
        self.first_norm = nn.BatchNorm1d(HIDDEN) if norm else nn.Identity()
        self.hidden = nn.Linear(HIDDEN, HIDDEN)
        self.deeper = nn.Linear(HIDDEN, HIDDEN)
        self.a_norm = nn.BatchNorm1d(HIDDEN) if norm else nn.Identity()
        self.classifier = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.first_norm(self.input_layer(x)))
        x = torch.tanh(self.hidden(x))
        x = torch.tanh(self.a_norm(self.deeper(x)))
        return self.classifier(x)


class Tied(nn.Module):
    """An autoencoder whose decoder is the transposed encoder: two tensors share a storage."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(INPUTS, HIDDEN)
        self.decoder = nn.Linear(HIDDEN, INPUTS)
        self.decoder.weight = nn.Parameter(self.encoder.weight.t())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(torch.relu(self.encoder(x)))


def with_statistics(model: nn.Module) -> nn.Module:
    """Give all batch normalizations random parameters and statistics."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.1, 3)
            module.num_batches_tracked.fill_(7)
            if module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    return model.eval()


def views(state: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """Return the same tensors in other layouts."""
    transposed, sliced, spread = OrderedDict(), OrderedDict(), OrderedDict()
    flat = torch.cat([tensor.reshape(-1) for tensor in state.values()])
    of_one, start = OrderedDict(), 0
    for name, tensor in state.items():
        transposed[name] = tensor.t().contiguous().t() if tensor.ndim == 2 else tensor
        wide = torch.full([n + 3 for n in tensor.shape], torch.nan)
        sliced[name] = wide[tuple(slice(2, n + 2) for n in tensor.shape)].copy_(tensor)
        loose = torch.full([2 * n for n in tensor.shape], torch.nan)
        spread[name] = loose[tuple(slice(1, None, 2) for _ in tensor.shape)].copy_(tensor)
        of_one[name] = flat[start : start + tensor.numel()].view(tensor.shape)
        start += tensor.numel()
    return {"transposed": transposed, "sliced": sliced, "spread": spread, "of_one": of_one}


def readable() -> dict[str, tuple[Any, nn.Module, str]]:
    """Return what each file holds, the model of its weights, and its activation."""
    cases: dict[str, tuple[Any, nn.Module, str]] = {}
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        model = mlp().to(dtype)
        cases[f"{str(dtype).removeprefix('torch.')}.pt"] = (model.state_dict(), model, "relu")
    model = mlp(activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, INPUTS)).sum().backward()
    optimizer.step()
    state = model.state_dict()
    cases["parameters.pth"] = (dict(model.named_parameters()), model, "tanh")
    for key in ("state_dict", "model_state_dict", "model"):
        saved = {
            "epoch": 3,
            "optimizer": optimizer.state_dict(),
            "best": 0.5,
            "note": "é",
            key: state,
        }
        cases[f"under_{key}.pt"] = (saved, model, "tanh")
    cases["wrapped.pt"] = ({f"module.{name}": each for name, each in state.items()}, model, "tanh")
    for name, tensors in views(state).items():
        cases[f"{name}.pt"] = (tensors, model, "tanh")
    scalar = copy.deepcopy(model)
    with torch.no_grad():
        scalar[0].bias.fill_(0.25)
    expanded = OrderedDict(scalar.state_dict())
    expanded["0.bias"] = torch.tensor(0.25).expand(HIDDEN)
    cases["expanded.pt"] = (expanded, scalar, "tanh")
    unbiased = mlp(bias=False)
    cases["no_biases.pt"] = (unbiased.state_dict(), unbiased, "relu")
    mixed = mlp(bias=False)
    mixed[2].bias = nn.Parameter(torch.randn(4))
    cases["some_biases.pt"] = (mixed.state_dict(), mixed, "relu")
    tied = Tied()
    cases["tied.pt"] = (tied.state_dict(), tied, "relu")
    named = Named(norm=False)
    cases["named.pt"] = (named.state_dict(), named, "tanh")
    norms = with_statistics(Named(norm=True))
    cases["named_norms.pt"] = (norms.state_dict(), norms, "tanh")
    before = with_statistics(
        nn.Sequential(
            *(nn.Linear(INPUTS, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Dropout(0.2)),
            *(nn.Linear(HIDDEN, 4, bias=False), nn.BatchNorm1d(4, affine=False), nn.ReLU()),
            nn.Linear(4, CLASSES),
        )
    )
    cases["norms_before.pt"] = (before.state_dict(), before, "relu")
    cases["norms_before.safetensors"] = (before.state_dict(), before, "relu")
    after = with_statistics(
        nn.Sequential(
            *(nn.Linear(INPUTS, HIDDEN), nn.ReLU(), nn.BatchNorm1d(HIDDEN)),
            nn.Linear(HIDDEN, CLASSES),
        )
    )
    cases["norms_after.pt"] = (after.state_dict(), after, "relu")
    cases["norms_after.safetensors"] = (after.state_dict(), after, "relu")
    return cases


def write_refused(model: nn.Module) -> None:
    torch.save(model, FOLDER / "refused_module.pt")
    torch.save({"epoch": 1, "model": model}, FOLDER / "refused_in_checkpoint.pt")
    torch.save(
        {"model_state_dict": model.state_dict(), "accuracy": np.float64(0.5)},
        FOLDER / "refused_scalar.pt",
    )
    torch.save(
        model.state_dict(), FOLDER / "refused_legacy.pt", _use_new_zipfile_serialization=False
    )
    torch.jit.save(torch.jit.script(model), FOLDER / "refused_script.pt")
    program = torch.export.export(model, (torch.ones(2, INPUTS),))
    torch.export.save(program, FOLDER / "refused_program.pt2")


def main() -> None:
    warnings.simplefilter("ignore")
    torch.manual_seed(1)
    FOLDER.mkdir(exist_ok=True)
    inputs = torch.randn(ROWS, INPUTS, dtype=torch.float64)
    arrays = {"inputs": inputs.numpy()}
    activations = {}
    protocols = {"float32.pt": 5, "float64.pt": 4, "float16.pt": 3}
    for name, (saved, model, activation) in readable().items():
        if name.endswith(".safetensors"):
            save_file(saved, FOLDER / name)
        else:
            torch.save(saved, FOLDER / name, pickle_protocol=protocols.get(name, 2))
        activations[name] = activation
        with torch.no_grad():
            arrays[f"logits/{name}"] = copy.deepcopy(model).double().eval()(inputs).numpy()
    write_refused(mlp())
    np.savez_compressed(FOLDER / "expected.npz", cases=json.dumps(activations), **arrays)


if __name__ == "__main__":
    main()
