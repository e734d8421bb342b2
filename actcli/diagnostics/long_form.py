"""The numbers of a diagnosis in long form: a table with one number per row, for CSV.

The columns are the part of the diagnosis, the item that the number is about, its name, and its
value. The item is a layer in gradients, units and activations, a class in classes and confusion,
the lower edge of a bin in reliability, a unit in weights, an epoch in history, a row in labels, and
a rule in verdict.
"""

from collections.abc import Iterator, Mapping
from typing import Any

HEADER = ["part", "item", "measure", "value"]
Row = list[Any]


def long_rows(diagnosis: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the header and the rows of a diagnosis.

    Args:
        diagnosis: its JSON object; parts may be missing or None.
    """
    yield HEADER
    for part, key in (("gradients", "layer"), ("units", "layer"), ("history", "epoch")):
        yield from _records(part, key, diagnosis.get(part))
    if softmax := diagnosis.get("softmax"):
        nested = {"classes": "label", "reliability": "low"}
        numbers = {name: value for name, value in softmax.items() if name not in nested}
        del numbers["histogram"]  # the counts of the bins
        yield from _measures("softmax", None, numbers)
        for part, key in nested.items():
            yield from _records(part, key, softmax[part])
    if labels := diagnosis.get("labels"):
        yield from _measures("labels", None, {"estimated": labels["estimated"]})
        yield from _records("labels", "index", labels["doubted"])
    yield from _pictures(diagnosis)
    if "verdict" in diagnosis:
        yield ["verdict", None, "verdict", diagnosis["verdict"]]
        for finding in diagnosis["findings"]:
            finding_measures = {name: finding[name] for name in ("severity", "layers")}
            yield from _measures("verdict", finding["rule"], finding_measures)


def _pictures(diagnosis: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the rows of the parts that are numbers for pictures."""
    if confusion := diagnosis.get("confusion"):
        yield from _records("confusion", "label", confusion["scores"])
        names = [f"predicted {name}" for name in confusion["classes"]]
        for label, counts in zip(confusion["classes"], confusion["counts"], strict=True):
            yield from _measures("confusion", label, dict(zip(names, counts, strict=True)))
    if activations := diagnosis.get("activations"):
        yield from _records("activations", "layer", activations["histograms"])
        for layer in activations["units"]:
            lists = {name: values for name, values in layer.items() if name != "counts"}
            yield from _records("activations", "layer", [lists | layer["counts"]])
    if weights := diagnosis.get("weights"):
        units = [{**unit, "weights": list(unit["weights"])} for unit in weights["sample"]]
        yield from _records("weights", "unit", units)


def _records(part: str, key: str, records: list[dict[str, Any]] | None) -> Iterator[Row]:
    for record in records or ():
        others = {name: value for name, value in record.items() if name != key}
        yield from _measures(part, record[key], others)


def _measures(part: str, item: object, measures: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the rows of one item; a number for each layer has the layer after its name."""
    for name, value in measures.items():
        if isinstance(value, (list, tuple)):
            for layer, number in enumerate(value, 1):
                yield [part, item, f"{name}.{layer}", number]
        else:
            yield [part, item, name, value]
