"""Resolved configurations: each value is the one that training uses."""

import copy
from dataclasses import replace

import pytest
from configurations import config

from actcli.config.resolved import ResolvedConfig
from actcli.config.schema import (
    Config,
    values,
)
from actcli.machine import worker_count
from actcli.nn.optimizers import OPTIMIZERS
from actcli.training import build


def test_auto_is_replaced_by_its_value() -> None:
    resolved = Config().resolve()
    assert resolved.model.output == "softmax"
    assert resolved.optimizer.learning_rate == 0.1
    assert resolved.optimizer.weight_decay == 0
    assert resolved.training.workers == worker_count()
    assert resolved.model.init == "auto"  # differs from layer to layer
    assert resolved.data.validation is None  # depends on the data
    assert config(resolved.to_toml()).resolve() == resolved


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_learning_rate_and_the_decay_are_the_optimizers_own(name: str) -> None:
    chosen = config(f"[optimizer]\nname = '{name}'").resolve().optimizer
    assert chosen.learning_rate == OPTIMIZERS[name].default_learning_rate
    assert chosen.weight_decay == (0.01 if name == "adamw" else 0)
    given_both = f"[optimizer]\nname = '{name}'\nlearning_rate = 0.5\nweight_decay = 0.25"
    chosen = config(given_both).resolve().optimizer
    assert (chosen.learning_rate, chosen.weight_decay) == (0.5, 0.25)
    rule = build.make_optimizer(config(given_both).resolve())
    assert rule.weight_decay == 0.25


def test_a_resolved_configuration_has_no_auto() -> None:
    resolved = Config.load("deep-sigmoid").with_("optimizer", "adamw").resolve()
    assert isinstance(resolved, ResolvedConfig)
    assert type(resolved.optimizer.learning_rate) is type(resolved.optimizer.weight_decay) is float
    assert type(resolved.training.workers) is int
    open_keys = {str(key) for key, value in values(resolved) if value == "auto"}
    assert open_keys == {"data.validation", "model.init"}
    with pytest.raises(TypeError, match="is not resolved"):
        replace(resolved.model, output="auto")
    assert copy.deepcopy(resolved) == resolved
