"""Networks of other frameworks: assumptions against networks whose truth is known; remedies."""

import importlib
import re
from dataclasses import replace

import numpy as np
import pytest

from actcli.config.schema import KEYS
from actcli.datasets.batches import NORMALIZATIONS, Normalization, Split
from actcli.datasets.dataset import Dataset
from actcli.diagnostics.findings import Finding, Remedy, Severity
from actcli.diagnostics.foreign import (
    ACTIVATION,
    LOSS,
    NORMALIZATION,
    Foreign,
    choose_activation,
    examine_assumptions,
)
from actcli.diagnostics.framework_words import WORDS, foreign_lines, questions
from actcli.diagnostics.rules import RULES
from actcli.model import Model
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP

ROWS, INPUTS, CLASSES = 600, 5, 3
FRAMEWORKS = ("PyTorch", "Keras", "scikit-learn")
NOTHING_SAID = Foreign("PyTorch", frozenset({ACTIVATION, NORMALIZATION, LOSS}))


def made(activation: str, method: str = "none") -> tuple[Model, Dataset]:
    """A random network, and rows that are labelled as it predicts them: it is always right."""
    rng = np.random.default_rng(1)
    values = rng.normal(3, 2, size=(ROWS, INPUTS)).astype(np.float32)
    split = Split(values, np.zeros(ROWS, np.intp), np.arange(ROWS))
    normalization = NORMALIZATIONS[method](split)
    network = MLP((INPUTS, 20, 20, CLASSES), (activation, activation))
    network.initialize(rng, bias_init="normal")
    names = tuple("abc")
    model = Model(network, LOSSES["cross-entropy"]("auto", 0.0), normalization, names)
    logits = model.split_logits(split)
    network.layers[-1].biases[...] -= logits.mean(axis=0)  # so that all classes occur
    labelled = replace(split, labels=model.split_logits(split).argmax(axis=1))
    dataset = Dataset("set", names, (INPUTS,), labelled, labelled, labelled, normalization)
    return model, dataset


def under(model: Model, activation: str, normalization: Normalization) -> Model:
    """The same weights under other assumptions."""
    network = MLP(model.network.sizes, (activation, activation))
    network.parameters[:] = model.network.parameters
    return replace(model, network=network, normalization=normalization)


def sentences(model: Model, dataset: Dataset, foreign: Foreign = NOTHING_SAID) -> str:
    return " ".join(examine_assumptions(model, dataset, foreign)[1].sentences)


@pytest.mark.parametrize(
    ("activation", "assumed"), [("identity", "relu"), ("relu", "identity"), ("tanh", "relu")]
)
def test_an_activation_that_fits_clearly_better_is_named_first(
    activation: str, assumed: str
) -> None:
    model, dataset = made(activation)
    text = sentences(under(model, assumed, model.normalization), dataset)
    assert re.match(rf"Assumed: {assumed} and raw inputs, which gives [\d.]+ %\. With ", text)
    assert f"--activation {activation}" in text


def test_a_normalization_that_fits_clearly_better_is_named() -> None:
    model, dataset = made("relu", "standard")
    wrong = under(model, "relu", NORMALIZATIONS["none"](dataset.train))
    assert "With standardised inputs it is 100 %: --normalize standard" in sentences(wrong, dataset)


@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky-relu"])
def test_right_assumptions_are_named_and_nothing_else_is_proposed(activation: str) -> None:
    model, dataset = made(activation)
    assert sentences(model, dataset) == (
        f"Assumed, as the file does not say it: {activation}, raw inputs, cross-entropy of softmax "
        "outputs."
    )


@pytest.mark.parametrize("activation", ["relu", "tanh", "identity"])
def test_an_activation_that_nobody_names_is_found(activation: str) -> None:
    model, dataset = made(activation, "standard")
    usual = under(model, "relu", NORMALIZATIONS["unit"](dataset.train))
    best, sentence = choose_activation(usual, dataset, normalization_is_open=True)
    assert best.network.activation_names == (activation, activation)
    assert sentence.endswith(f"assumed: --activation {activation} --normalize standard")
    kept, sentence = choose_activation(model, dataset, normalization_is_open=False)
    assert kept.network.activation_names == (activation, activation)
    assert sentence.endswith("none of 11 other choices is clearly better.")


def test_permuted_labels_do_not_hide_the_right_activation() -> None:
    model, dataset = made("tanh")
    moved = replace(dataset.train, labels=(dataset.train.labels + 1) % CLASSES)
    usual = under(model, "relu", model.normalization)
    best, _ = choose_activation(usual, replace(dataset, train=moved), normalization_is_open=False)
    assert best.network.activation_names == ("tanh", "tanh")


def test_label_smoothing_is_seen_where_the_largest_probability_levels_off() -> None:
    model, dataset = made("relu")
    logits = model.split_logits(dataset.train)
    plain = replace(model, network=MLP((CLASSES, CLASSES), ()))
    plain.network.layers[0].weights[...] = np.eye(CLASSES)
    for smoothing, seen in ((0.1, True), (0.0, False)):
        top = logits.argmax(axis=1)[:, np.newaxis] == np.arange(CLASSES)
        share = smoothing / CLASSES
        target = np.where(top, 1 - smoothing + share, share) if smoothing else logits
        rows = (np.log(target) if smoothing else logits).astype(np.float32)
        train = Split(rows, dataset.train.labels, np.arange(ROWS))
        text = sentences(
            replace(plain, normalization=NORMALIZATIONS["none"](train)),
            replace(dataset, train=train),
            Foreign("PyTorch", frozenset({LOSS})),
        )
        assert ("label smoothing of about 0.1" in text) == seen


def test_what_a_file_says_is_not_questioned() -> None:
    model, dataset = made("identity")
    wrong = under(model, "relu", model.normalization)
    assert sentences(wrong, dataset, Foreign("PyTorch", frozenset())) == ""


def test_a_regression_on_one_hot_targets_is_judged_as_one() -> None:
    model, dataset = made("relu")
    regression = under(model, "relu", model.normalization)
    last = regression.network.layers[-1]
    batches = regression.forward_batches(dataset.train)
    features = np.vstack([batch.trace.layers[1].y.copy() for batch in batches])
    ones = np.hstack([features, np.ones((ROWS, 1))])
    solution, *_ = np.linalg.lstsq(ones, np.eye(CLASSES)[dataset.train.labels], rcond=None)
    last.weights[...], last.biases[...] = solution[:-1].T, solution[-1]
    examined, assumptions = examine_assumptions(regression, dataset, NOTHING_SAID)
    assert (examined.loss_name, examined.loss.output) == ("mse", "identity")
    assert any("one-hot" in sentence for sentence in assumptions.sentences)
    told = examine_assumptions(regression, dataset, Foreign("PyTorch", frozenset()))[1].sentences[0]
    assert "and not by cross-entropy" in told
    classifier, _ = examine_assumptions(model, dataset, NOTHING_SAID)  # whose logits are not
    assert classifier.loss_name == "cross-entropy"


# Remedies ------------------------------------------------------------------------------------


def all_remedies() -> list[Remedy]:
    """The remedies that are constants of the modules of rules, and one for each other key."""
    module = importlib.import_module("actcli.diagnostics.rules.remedies")
    constants = [value for value in vars(module).values() if isinstance(value, Remedy)]
    others = {"model.hidden": (64, 64), "training.epochs": 30, "training.patience": 3}
    return [*constants, *(Remedy("Reason.", {path: value}) for path, value in others.items())]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_remedy_has_lines_of_each_framework(framework: str) -> None:
    for remedy in all_remedies():
        text = foreign_lines(remedy, framework)
        assert text
        assert "model." not in text.replace("model.parameters()", "").replace("model.fit", "") or (
            "no counterpart" in text
        )


def test_lines_of_pytorch() -> None:
    changes = {
        "optimizer.name": "adam",
        "optimizer.learning_rate": "auto",
        "optimizer.clip_norm": 1.0,
        "data.normalize": "column",
        "model.dropout": 0.3,
    }
    assert foreign_lines(Remedy("Reason.", changes), "PyTorch").splitlines() == [
        "torch.optim.Adam(model.parameters(), lr=0.001)",
        "nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # before step()",
        "x = (x - x_train.mean(0)) / x_train.std(0)  # add 1e-8 to deviations that are 0",
        "nn.Dropout(0.3)",
    ]
    assert foreign_lines(Remedy("Look at the rows."), "PyTorch") == "# Look at the rows."


def test_the_words_are_about_keys_of_the_configuration() -> None:
    assert WORDS.keys() <= {str(key) for key in KEYS}


def test_questions_are_asked_for_faults_only() -> None:
    def finding(rule: str, severity: Severity) -> Finding:
        return Finding(rule, severity, (), ("Evidence 1.",), "Cause.", (), "Source")

    assert questions([finding("dead-units", Severity.NOTE)], "PyTorch") == ()
    asked = questions([finding("not-learning", Severity.ERROR)], "PyTorch")
    assert any("zero_grad" in text for text in asked)
    assert any("softmax before CrossEntropyLoss" in text for text in asked)
    for framework in FRAMEWORKS:
        for rule in RULES:
            assert all(text.endswith((".", "?")) for text in questions(
                [finding(rule, Severity.ERROR)], framework))  # fmt: skip
