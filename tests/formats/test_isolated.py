"""A reader in a process of its own: its result, its errors, and its limits."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from actcli.errors import ActcliError, DataError
from actcli.formats import isolated
from actcli.formats.contents import Activation, BatchNorm, LayerChain, Linear
from actcli.formats.isolated import read_isolated
from actcli.machine import FORK_IS_SAFE
from actcli.model import read_model_file

DAMAGED = Path(__file__).parents[1] / "oracles" / "damaged"
HERE = Path(__file__)

pytestmark = pytest.mark.skipif(not FORK_IS_SAFE, reason="a fork is not safe here")


def test_the_layers_come_back_as_they_were() -> None:
    ones = np.ones(3)
    sent = LayerChain(
        [
            Linear("a", np.arange(6, dtype="f2").reshape(2, 3).T, None, "é"),
            BatchNorm("b", 0 * ones, ones, None, 2 * ones, 0.125),
            Activation("relu", "b"),
        ],
        *("mse", ("A note.",), {"normalization": {"method": "none", "shift": 0.0, "scale": 1.0}}),
    )
    received = read_isolated(HERE, lambda _: sent)
    assert (received.loss, received.notes) == (sent.loss, sent.notes)
    assert received.description == sent.description
    for got, given in zip(received.steps, sent.steps, strict=True):
        assert type(got) is type(given)
        for name, value in vars(given).items():
            np.testing.assert_array_equal(getattr(got, name), value)
            assert getattr(getattr(got, name), "dtype", None) == getattr(value, "dtype", None)


@pytest.mark.parametrize("error", [DataError("What.", "How"), ActcliError("What", None)])
def test_an_error_comes_back_as_it_was(error: ActcliError) -> None:
    def read(_: Path) -> LayerChain:
        raise error

    with pytest.raises(type(error)) as caught:
        read_isolated(HERE, read)
    assert (caught.value.message, caught.value.hint) == (error.message, error.hint)


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Traceback .*ZeroDivisionError"):
        read_isolated(HERE, lambda _: LayerChain([], str(1 // 0)))


def crash(_: Path) -> LayerChain:
    os.kill(os.getpid(), signal.SIGSEGV)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def fill_memory(_: Path) -> LayerChain:
    return LayerChain([], str(np.zeros(10**13).sum()))


@pytest.mark.parametrize("read", [crash, fill_memory])
def test_a_crash_and_a_full_memory_are_errors(read: object) -> None:
    with pytest.raises(DataError, match="is damaged: reading it crashed, or took more than 10 s"):
        read_isolated(HERE, read)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_file_on_which_the_library_loops_for_ever_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fuzzing found it."""
    monkeypatch.setattr(isolated, "CPU_SECONDS", 1)
    with pytest.raises(DataError, match="took more than 1 s of processor time"):
        read_model_file(DAMAGED / "endless.h5")
