"""Settings from files and texts, and the configuration that they give."""

import os
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from configurations import config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actcli import files
from actcli.config.schema import (
    Config,
)
from actcli.config.sources import assemble, examples, find_config, parse_assignment, read_toml
from actcli.errors import UsageError


def reading(tmp_path: Path, content: bytes | str) -> str:
    """The message about a file of this content, without its path."""
    path = tmp_path / "net.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    return str(caught.value).replace(str(path), "net.toml")


KNOWN_TABLES = "Known: data, model, loss, optimizer, training"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[optimiser]\nname='sgd'",
            f"net.toml: there is no table [optimiser]. Did you mean [optimizer]? {KNOWN_TABLES}",
        ),
        ("epochs = 3", f"net.toml: there is no table [epochs]. {KNOWN_TABLES}"),
        ("model = 3", "net.toml: [model] must be a table"),
        ("[[model]]\nhidden=[3]", "net.toml: [model] must be a table"),
        (
            "[loss]\nlabel-smothing = 0.1",
            "net.toml: [loss] has no key label-smothing. Did you mean label_smoothing? "
            "Known: name, label_smoothing, class_weight",
        ),
        ('[loss]\n"\\u001b[2J" = 1', "net.toml: [loss] has no key \\x1b[2J. Known: name, label_"),
        ("[training]\nepochs = true", 'net.toml: [training] epochs must be "auto" or a whole'),
        ("[training]\nepochs = 1.5", 'net.toml: [training] epochs must be "auto" or a whole'),
        ("[training]\nepochs = 1979-05-27", 'net.toml: [training] epochs must be "auto" or a'),
        ("[model]\nhidden = 100", "net.toml: [model] hidden must be a list, not 100"),
        ("[model]\nhidden = [0]", "net.toml: [model] hidden must be at least 1, not 0"),
        (f"[model]\nhidden = [{2**64}]", "net.toml: [model] hidden must be at most 922337203685"),
        ("[optimizer]\nlearning_rate = 1e400", 'net.toml: [optimizer] learning_rate must be "aut'),
        ("[optimizer]\nlearning_rate = nan", 'net.toml: [optimizer] learning_rate must be "auto"'),
        (f"[optimizer]\nlearning_rate = 1{'0' * 400}", "net.toml: [optimizer] learning_rate must"),
        (f"[training]\nseed = 0x{'f' * 5000}", "net.toml: [training] seed must be at most 922337"),
        (
            f"[training]\nseed = {'9' * 5000}",
            "net.toml holds a number with too many digits: l",
        ),
        ("[data]\nclasses = '3,8'", "net.toml: [data] classes must be a list, not '3,8'"),
        ("[model]\nhidden = [1", "net.toml is not TOML: Unclosed array (at end of document)"),
        ("[data]\nname = mnist\n", "net.toml is not TOML: Invalid value (at line 2, column 8)"),
        ("[data]\n[data]\n", "net.toml is not TOML: Cannot declare ('data',) twice (at line 2, c"),
        ("a = " + "[" * 9999, "net.toml is not TOML: its values are nested too deeply"),
        (b"[data]\nname = '\xff'", "net.toml is not UTF-8 text: byte 15, in line 2"),
        (b"\xff\xfe[\x00", "net.toml is not UTF-8 text: byte 0"),
    ],
)
def test_a_mistake_in_a_file(tmp_path: Path, text: bytes | str, message: str) -> None:
    assert reading(tmp_path, text).startswith(message)


def test_all_mistakes_of_a_file_at_once(tmp_path: Path) -> None:
    text = "[training]\nepochs = 1.5\nseed = 1\nbatch_size = 0\n[modle]\n[loss]\nsmoothing = 1\n"
    first, *others = reading(tmp_path, text).splitlines()
    assert first == "4 mistakes"
    assert [line[: line.index(" ", 15)] for line in others] == [
        "  net.toml: [training]",
        "  net.toml: [training]",
        "  net.toml: there",
        "  net.toml: [loss]",
    ]
    assert 'epochs must be "auto" or a whole number of at least 0, not 1.5' in others[0]
    assert 'batch_size must be "auto" or at least 1, not 0' in others[1]
    assert "no table [modle]. Did you mean [model]?" in others[2]
    assert "no key smoothing. Did you mean label_smoothing?" in others[3]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    pipe, device = tmp_path / "pipe.toml", tmp_path / "device.toml"
    os.mkfifo(pipe)  # opening it would wait for a writer
    device.symlink_to("/dev/zero")  # reading it would not end
    for path, reason in (
        (tmp_path, "Is a directory"),
        (tmp_path / "none.toml", "No such file or directory"),
        (pipe, "it is not a regular file"),
        (device, "it is not a regular file"),
    ):
        with pytest.raises(UsageError) as caught:
            read_toml(path)
        assert str(caught.value) == f"cannot read the configuration {path}: {reason}"


def test_the_pipe_of_a_shell_is_read() -> None:
    """<(command) is such a pipe."""
    reading, writing = os.pipe()
    os.write(writing, b"[training]\nepochs = 7\n")
    os.close(writing)
    assert [each.value for each in read_toml(Path(f"/dev/fd/{reading}"))] == [7]
    os.close(reading)


def test_where_values_come_from(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text("[model]\nhidden = []\nactivation = 'tanh'\n[data]\nclasses = [3, '8']\n")
    found = [(str(each.key), each.value, each.origin) for each in read_toml(path)]
    assert found == [
        ("model.hidden", (), str(path)),
        ("model.activation", ("tanh",), str(path)),
        ("data.classes", ("3", "8"), str(path)),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary()
    | st.text(alphabet=string.printable).map(str.encode)
    | st.lists(
        st.sampled_from(
            [
                *("[data]\n", "[model]\n", "[training]\n", "epochs", "hidden", "name", " = "),
                *("[", "]", "1", "-", "1.5", "true", "'relu'", '"', "\n", "#", ",", "nan"),
                *("9" * 5000, "é", "\0"),
            ]
        )
    ).map(lambda words: "".join(words).encode())
)
def test_any_file_gives_a_configuration_or_a_usage_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(content)
    message = str(path)
    try:
        chosen = assemble(read_toml(path))
    except UsageError as error:
        message = str(error)
    else:
        assert config(chosen.to_toml()) == chosen
    assert str(path) in message


def test_an_example_configuration_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("relu") == files.packaged_folder("configs") / "relu.toml"
    (tmp_path / "relu").mkdir()  # as in a folder of runs
    assert find_config("relu") == files.packaged_folder("configs") / "relu.toml"
    (tmp_path / "sigmoid").write_text("")
    assert find_config("sigmoid") == Path("sigmoid")
    assert find_config("sigmoid.toml") == Path("sigmoid.toml")
    (tmp_path / "mine").mkdir()
    assert find_config("mine") == Path("mine")  # to be told that it is a folder
    with pytest.raises(UsageError) as caught:
        find_config("sigmiod")
    assert str(caught.value) == (
        "there is no configuration file or example configuration 'sigmiod'. "
        f"Did you mean 'sigmoid'? Known: {', '.join(examples())}"
    )


def test_an_assignment() -> None:
    setting = parse_assignment("model.dropout=0.2")
    assert (str(setting.key), setting.value, setting.origin) == ("model.dropout", 0.2, "--set")
    assert parse_assignment(" data.name = a=b").value == " a=b"
    assert parse_assignment("model.hidden=").value == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dropout=0.2", "--set dropout=0.2: expected table.key=value. Example: model.dropout=0.2"),
        ("model.dropout", "--set model.dropout: expected table.key=value. Example: model.dropout"),
        ("modl.dropout=1", f"there is no table [modl]. Did you mean [model]? {KNOWN_TABLES}"),
        ("model.drop=1", "[model] has no key drop. Did you mean dropout? Known: hidden, activatio"),
        ("model.dropout=1", "--set model.dropout: must be a number of at least 0 and below 1, not"),
        ("model.dropout=", "--set model.dropout: must be a number of at least 0 and below 1, not "),
        ("model.hidden=a", "--set model.hidden: must be a whole number of at least 1, not 'a'"),
    ],
)
def test_a_wrong_assignment(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_assignment(text)
    assert str(caught.value).startswith(message)


def test_the_last_setting_of_a_key_holds() -> None:
    given_twice = [parse_assignment("training.epochs=3"), parse_assignment("training.epochs=4")]
    assert assemble(given_twice).training.epochs == 4
    assert assemble(given_twice[::-1]).training.epochs == 3
    assert replace(assemble(given_twice), training=Config().training) == Config()
    assert assemble([]) == Config()


# Aliases --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("model.activation=linear,logistic,swish", ("identity", "sigmoid", "silu")),
        ('model.activation="swish"', ("silu",)),
        ("model.output=logistic", "sigmoid"),
        ("loss.name=ce", "cross-entropy"),
        ("loss.name=nll", "cross-entropy"),
        ("loss.loss=bce", "binary-cross-entropy"),
        ("optimizer.lr=0.3", 0.3),
    ],
)
def test_an_alias_of_the_field_stands_for_the_name(assignment: str, value: Any) -> None:
    assert parse_assignment(assignment).value == value


def test_one_key_under_two_names_has_one_value(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[optimizer]\nlr = 0.1\nlearning_rate = 0.1\n")
    assert {setting.value for setting in read_toml(path)} == {0.1}
    path.write_text("[optimizer]\nlr = 0.1\nlearning_rate = 0.2\n")
    message = r"a\.toml: \[optimizer\] lr and learning_rate are one key with two values: give one"
    with pytest.raises(UsageError, match=message):
        read_toml(path)
