"""One part of a diagnosis as a table for a spreadsheet: a row for each item, a column each number.

`long_form` has all parts in one table, with one number per row.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from actcli.registry import Registry

Record = dict[str, Any]

# Each entry yields the records of its part. Their keys are the columns; a list has a column for
# each of its numbers, such as `silent.1` for layer 1.
TABLES: Registry[Callable[[Mapping[str, Any]], Iterator[Record]]] = Registry("part")


def wide_rows(part: str, diagnosis: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    """Yield the header and the rows of a part of a diagnosis.

    Args:
        part: a key of TABLES.
        diagnosis: its JSON object.
    """
    records = [_flat(record) for record in TABLES[part](diagnosis)]
    header = list({name: None for record in records for name in record}) or HEADERS.get(part, [])
    yield header
    for record in records:
        yield [record.get(name) for name in header]


def _flat(record: Record) -> Record:
    """Return a record without lists: a list has an entry for each of its items."""
    flat: Record = {}
    for name, value in record.items():
        if isinstance(value, (list, tuple)):
            flat |= {f"{name}.{number}": item for number, item in enumerate(value, 1)}
        else:
            flat[name] = value
    return flat


@TABLES.register("gradients")
def gradients(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each layer."""
    yield from diagnosis["gradients"]


@TABLES.register("units")
def units(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each hidden layer."""
    yield from diagnosis["units"]


@TABLES.register("softmax")
def softmax(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each class."""
    yield from diagnosis["softmax"]["classes"] if diagnosis["softmax"] else ()


@TABLES.register("reliability")
def reliability(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each bin of confidence."""
    yield from diagnosis["softmax"]["reliability"] if diagnosis["softmax"] else ()


@TABLES.register("confusion")
def confusion(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each true class, with a column for each predicted class."""
    matrix = diagnosis["confusion"]
    for counts, scores in zip(matrix["counts"], matrix["scores"], strict=True):
        label, *names = scores
        columns = zip(matrix["classes"], counts, strict=True)
        yield {
            "true_class": scores[label],
            **{f"predicted {name}": count for name, count in columns},
            **{name: scores[name] for name in names},
        }


@TABLES.register("activations")
def activations(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each unit of each hidden layer."""
    for layer in diagnosis["activations"]["units"]:
        for unit, state in enumerate(layer["states"]):
            yield {
                "layer": layer["layer"],
                "unit": unit,
                "state": state,
                **{
                    name: None if layer[name] is None else layer[name][unit]
                    for name in ("active", "saturated", "born_dead")
                },
            }


@TABLES.register("histograms")
def histograms(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each bin of each layer, of the pre-activations z and the activations y."""
    for layer in diagnosis["activations"]["histograms"]:
        for values in ("z", "y"):
            edges, counts = layer[f"{values}_edges"], layer[f"{values}_counts"]
            for low, high, count in zip(edges or (), (edges or ())[1:], counts or (), strict=False):
                place = {"layer": layer["layer"], "values": values}
                yield {**place, "low": low, "high": high, "count": count}


@TABLES.register("weights")
def weights(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each shown unit of the first layer, with its weights as the last columns.

    The columns of the weights are numbered from 1.
    """
    for unit in diagnosis["weights"]["sample"]:
        yield {**unit, "weights": list(unit["weights"])}


@TABLES.register("history")
def history(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each epoch."""
    yield from diagnosis["history"] or ()


@TABLES.register("labels")
def labels(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each row whose label the network doubts."""
    yield from diagnosis["labels"]["doubted"] if diagnosis["labels"] else ()


@TABLES.register("verdict")
def verdict(diagnosis: Mapping[str, Any]) -> Iterator[Record]:
    """Yield a record for each finding."""
    for finding in diagnosis["findings"]:
        yield {
            "rule": finding["rule"],
            "severity": finding["severity"],
            "layers": " ".join(map(str, finding["layers"])),
        }


HEADERS = {"verdict": ["rule", "severity", "layers"]}  # of a table that may have no row
# The parts of the diagnosis that hold the numbers of a table, if they have other names.
HOLDERS = {"reliability": "softmax", "histograms": "activations"}
