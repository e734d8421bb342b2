"""The places of batch normalizations among the linear layers of a file of named tensors."""

import bisect
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.formats.contents import Activation, BatchNorm, Linear, Step
from actcli.formats.tensor_names import Preference, layer_name


class NormPlaces:
    """The places of batch normalizations among linear layers.

    Args:
        path: the path of the file, for messages.
        linear: the linear layers in their order.
        preference: the order of the tensors of the file.
    """

    def __init__(self, path: Path, linear: Sequence[Linear], preference: Preference) -> None:
        self._path = path
        self._linear = linear
        self._preference = preference
        self._of_inputs: list[BatchNorm] = []
        self._before: dict[int, list[Step]] = defaultdict(list)  # its activation
        self._after: dict[int, list[Step]] = defaultdict(list)
        self._by_units: dict[int, list[int]] = defaultdict(list)
        for position, step in enumerate(linear):
            self._by_units[len(step.weights)].append(position)
        preferred = sorted((preference(step.name), i) for i, step in enumerate(linear))
        self._keys = [key for key, _ in preferred]
        self._positions = [position for _, position in preferred]

    def steps(self) -> list[Step]:
        """Return the linear layers and the batch normalizations in their order."""
        steps: list[Step] = [*self._of_inputs]
        for position, step in enumerate(self._linear):
            steps.append(step)
            steps += self._before[position]
            if self._after[position]:
                steps.append(Activation("", step.name))
                steps += self._after[position]
        return steps

    def add(self, norm: BatchNorm) -> list[str]:
        """Add a batch normalization, and return notes on its assumed place.

        It belongs to the layer before it: in the order of the tensors or, if the file keeps none,
        the only layer with as many units. It is taken to stand before the activation of that layer,
        unless the numbers of an `nn.Sequential` show that an activation stands between them.

        Raises:
            DataError: no layer fits.
        """
        features = norm.mean.shape[0] if norm.mean.ndim == 1 else -1
        candidates = self._by_units.get(features, [])
        if self._preference.is_informative:
            rank = bisect.bisect_left(self._keys, self._preference.of_norm(norm.name))
            if rank == 0 and self._linear[0].weights.shape[1] == features:
                self._of_inputs.append(norm)
                return []
            before = self._positions[rank - 1 : rank] if rank else []
            candidates = [i for i in before if len(self._linear[i].weights) == features]
        if len(candidates) != 1:
            raise DataError(
                f"{self._path}: the layer before the batch normalization {quoted(norm.name)} of "
                f"{features} features is not clear: {len(candidates)} layers are possible",
                "Expected one layer before it with as many units",
            )
        position = candidates[0]
        layer = self._linear[position].name
        following = self._linear[position + 1].name if position + 1 < len(self._linear) else ""
        gap = _gap(layer_name(layer), norm.name)
        if gap is not None and gap > 1 and _gap(norm.name, layer_name(following)) == 1:
            self._after[position].append(norm)
            return []
        self._before[position].append(norm)
        if gap == 1:
            return []
        return [
            f"The batch normalization {quoted(norm.name)} is taken to stand before the activation "
            f"of {quoted(layer)}: the file does not say it."
        ]


def _gap(first: str, second: str) -> int | None:
    """Return the difference of the numbers of two modules in one `nn.Sequential`, or else None."""
    stems = [re.fullmatch(r"(.*?)(\d+)", name) for name in (first, second)]
    if stems[0] is None or stems[1] is None or stems[0][1] != stems[1][1]:
        return None
    return int(stems[1][2]) - int(stems[0][2])
