"""Keys that exclude each other, and keys that have no effect."""

import pytest
from configurations import config

from actcli.config.clashes import unused_keys
from actcli.config.mistakes import ConfigError
from actcli.config.schema import (
    Config,
)
from actcli.machine import worker_count
from actcli.nn.links import LINKS
from actcli.nn.losses import LOSSES

OF_LOGITS = "output = 'identity'"


def refused(*lines: str) -> str:
    """Return the message about keys that exclude each other."""
    with pytest.raises(ConfigError) as caught:
        config("\n".join(lines))
    return str(caught.value)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("output", LINKS)
def test_a_loss_and_an_output(loss: str, output: str) -> None:
    text = f"[loss]\nname = '{loss}'\n[model]\noutput = '{output}'"
    if output in LOSSES[loss].outputs:
        assert config(text).resolve().model.output == output
    else:
        with pytest.raises(ConfigError) as caught:
            config(text)
        assert str(caught.value) == (
            f"file: loss '{loss}' does not go with output '{output}'. "
            f"Its outputs: {', '.join(LOSSES[loss].outputs)}, or auto"
        )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["[model]", "activation = ['relu', 'tanh', 'relu']"], "[model] activation names 3 for 2 "),
        (["[optimizer]", "nesterov = true", "momentum = 0"], "[optimizer] nesterov needs a moment"),
        (["[optimizer]", "warmup = 6.5"], "[optimizer] warmup of 6.5 epochs is longer than the tr"),
        (["[training]", "patience = 1", "[data]", "validation = 0"], "[training] patience waits f"),
        (["[loss]", "name = 'sse'", "label_smoothing = 0.1"], "label_smoothing has no meaning for"),
        (
            ["[training]", "calibrate = true", "[data]", "validation = 0"],
            "[training] calibrate nee",
        ),
        (
            ["[training]", "calibrate = true", "[loss]", "name = 'mse'", "[model]", OF_LOGITS],
            "[training] calibrate needs probabilities",
        ),
    ],
)
def test_keys_that_exclude_each_other(lines: list[str], message: str) -> None:
    assert refused(*lines).startswith(f"file: {message}")


def test_all_clashes_are_reported_at_once() -> None:
    message = refused(
        *("[model]", "activation = ['relu', 'tanh', 'relu']", "output = 'sigmoid'"),
        *("[optimizer]", "warmup = 7", "[training]", "patience = 1", "[data]", "validation = 0"),
    )
    lines = message.splitlines()
    assert lines[0] == "4 mistakes"
    for line, word in zip(
        lines[1:], ["activation names 3", "cross-entropy", "warmup", "patience"], strict=True
    ):
        assert word in line


@pytest.mark.parametrize(
    "text",
    [
        "[optimizer]\nwarmup = 6",
        "[optimizer]\nwarmup = 7\n[training]\nepochs = 0",
        "[optimizer]\nname = 'adam'\nnesterov = true\nmomentum = 0",  # adam uses neither
        "[model]\nhidden = []\nactivation = ['tanh']",
        "[model]\nactivation = ['tanh', 'relu']",
        "[training]\npatience = 1",
    ],
)
def test_keys_that_are_legal_together(text: str) -> None:
    assert config(text).resolve().training.workers == worker_count()


def test_which_keys_have_no_effect() -> None:
    assert set(unused_keys(Config())) == {"optimizer.betas"}
    adam = config("[optimizer]\nname = 'adam'\n[model]\nhidden = []")
    assert set(unused_keys(adam)) == {
        *("optimizer.momentum", "optimizer.nesterov", "model.activation", "model.dropout")
    }
