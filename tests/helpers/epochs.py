"""Epochs of a training, made up."""

from typing import Any

from actcli.training.events import EpochDone, Health, Score


def make_epoch(
    number: int,
    loss: float = 0.5,
    accuracy: float = 0.5,
    validation: tuple[float, float] | None = None,
    **fields: Any,
) -> EpochDone:
    """Return an epoch with these scores; `fields` are other fields of it."""
    usual: dict[str, Any] = {
        "learning_rate": 0.1,
        "seconds": 1.0,
        "examples_per_second": 1000.0,
        "update_ratio": (),
        "best": True,
    }
    score = Score(*validation) if validation else None
    return EpochDone(
        epoch=number, train=Score(loss, accuracy), validation=score, **(usual | fields)
    )


def make_health(delta_norm: list[float], silent: list[int]) -> Health:
    """Return the health of layers, without gradients of weights."""
    return Health(tuple(delta_norm), (0.1,) * len(delta_norm), tuple(silent))
