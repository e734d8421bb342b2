"""Remedies in the words of PyTorch, Keras and scikit-learn, and questions on the training."""

from collections.abc import Mapping, Sequence
from typing import Any

from actcli.config.schema import toml_value
from actcli.diagnostics.findings import Finding, Remedy, Severity

Words = Mapping[str, str]  # the text of each framework, with {value}

PYTORCH_ACTIVATIONS = {"relu": "nn.ReLU()", "leaky-relu": "nn.LeakyReLU(0.01)", "tanh": "nn.Tanh()"}
DECAY = {"PyTorch": "weight_decay={value}", "Keras": "weight_decay={value}"}
WORDS: Mapping[str, Words] = {
    "model.hidden": {
        "PyTorch": "nn.Linear layers with these numbers of units: {value}",
        "Keras": "layers.Dense layers with these numbers of units: {value}",
        "scikit-learn": "MLPClassifier(hidden_layer_sizes={value})",
    },
    "model.init": {
        "PyTorch": "nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')  # each nn.Linear",
        "Keras": "layers.Dense(…, kernel_initializer='he_normal')",
        "scikit-learn": "warm_start=False  # fresh weights: scikit-learn's own fit",
    },
    "model.bias_init": {
        "PyTorch": "nn.init.zeros_(layer.bias)  # each nn.Linear",
        "Keras": "layers.Dense(…, bias_initializer='zeros')",
    },
    "model.dropout": {"PyTorch": "nn.Dropout({value})", "Keras": "layers.Dropout({value})"},
    "model.output": {
        "PyTorch": "no softmax or sigmoid layer at the end: the loss applies it",
        "Keras": "no activation in the last layer",
    },
    "loss.label_smoothing": {
        "PyTorch": "nn.CrossEntropyLoss(label_smoothing={value})",
        "Keras": "keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing={value})",
    },
    "loss.class_weight": {
        "PyTorch": "nn.CrossEntropyLoss(weight=len(y) / (classes * torch.bincount(y)))",
        "Keras": (
            "model.fit(…, class_weight={{k: len(y) / (classes * sum(y == k)) for k in set(y)}})"
        ),
        "scikit-learn": "fit(x, y, sample_weight=compute_sample_weight('balanced', y))",
    },
    "optimizer.weight_decay": {**DECAY, "scikit-learn": "MLPClassifier(alpha={value})"},
    "optimizer.clip_norm": {
        "PyTorch": "nn.utils.clip_grad_norm_(model.parameters(), {value})  # before step()",
        "Keras": "the optimizer's clipnorm={value}",
    },
    "data.normalize": {},  # see _line
    "training.batch_size": {
        "PyTorch": "DataLoader(…, batch_size={value}, shuffle=True)",
        "Keras": "model.fit(…, batch_size={value})",
        "scikit-learn": "MLPClassifier(batch_size={value})",
    },
    "training.calibrate": {
        "PyTorch": "logits / temperature, which minimises the loss of validation rows",
        "Keras": "logits / temperature, which minimises the loss of validation rows",
        "scikit-learn": "CalibratedClassifierCV(FrozenEstimator(model), method='temperature')",
    },
    "training.epochs": {
        "PyTorch": "for epoch in range({value}):",
        "Keras": "model.fit(…, epochs={value})",
        "scikit-learn": "MLPClassifier(max_iter={value})",
    },
    "training.patience": {
        "PyTorch": "stop after {value} epochs without a lower validation loss",
        "Keras": "keras.callbacks.EarlyStopping(patience={value}, restore_best_weights=True)",
        "scikit-learn": "MLPClassifier(early_stopping=True, n_iter_no_change={value})",
    },
}
# What a value of 0 turns off; if several keys are 0, one line names them all.
OFF: Mapping[str, Words] = {
    "optimizer.weight_decay": {**dict.fromkeys(DECAY, "weight_decay"), "scikit-learn": "alpha"},
    "optimizer.clip_norm": {"PyTorch": "clip_grad_norm_", "Keras": "clipnorm"},
    "model.dropout": {"PyTorch": "nn.Dropout", "Keras": "layers.Dropout"},
    "loss.label_smoothing": dict.fromkeys(DECAY, "label_smoothing"),
}
SCALING = {
    "standard": "x = (x - x_train.mean()) / x_train.std()",
    "column": "x = (x - x_train.mean(0)) / x_train.std(0)  # add 1e-8 to deviations that are 0",
    "unit": "x = (x - x_train.min()) / (x_train.max() - x_train.min())",
    "none": "x as it is",
}
LOSS_WORDS = {
    "cross-entropy": {
        "PyTorch": "nn.CrossEntropyLoss()  # takes logits",
        "Keras": "keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
        "scikit-learn": "MLPClassifier, in place of MLPRegressor",
    },
    "binary-cross-entropy": {
        "PyTorch": "nn.BCEWithLogitsLoss()  # takes logits",
        "Keras": "keras.losses.BinaryCrossentropy(from_logits=True)",
        "scikit-learn": "MLPClassifier, in place of MLPRegressor",
    },
}


def foreign_lines(remedy: Remedy, framework: str) -> str:
    """Return a remedy as lines in the words of a framework."""
    changes = dict(remedy.changes)
    if not changes:
        return f"# {remedy.reason}"
    if framework == "scikit-learn" and "optimizer.name" in changes:
        changes.pop("model.bias_init", None)  # a new fit draws fresh weights and biases
    changes.pop("model.init_scale", None)  # other frameworks have no such factor
    lines = []
    name, rate = changes.pop("optimizer.name", None), changes.pop("optimizer.learning_rate", None)
    if name or rate:
        lines.append(_optimizer_line(name, rate, framework))
    off = [path for path in OFF if changes.get(path) == 0]
    if len(off) > 1:
        names = [OFF[path][framework] for path in off if framework in OFF[path]]
        lines.append(f"# without {', '.join(names)}")
        changes = {path: value for path, value in changes.items() if path not in off}
    for path, value in changes.items():
        lines.append(_line(path, value, framework))
    return "\n".join(line for line in lines if line)


def _optimizer_line(name: str | None, rate: Any, framework: str) -> str:
    number = "0.001" if rate in {None, "auto"} else f"{rate:g}"
    if framework == "scikit-learn":
        solver = f"solver='{name}', " if name else ""
        return f"MLPClassifier({solver}learning_rate_init={number})"
    if name is None:
        key = "lr" if framework == "PyTorch" else "learning_rate"
        return f"the optimizer's {key}={number}, or a tenth of yours if that is lower"
    if framework == "Keras":
        return f"keras.optimizers.{name.capitalize()}(learning_rate={number})"
    return f"torch.optim.{name.capitalize()}(model.parameters(), lr={number})"


def _line(path: str, value: Any, framework: str) -> str:
    if path == "data.normalize":
        return SCALING[value]
    if path == "loss.name":
        return LOSS_WORDS[value][framework]
    if path == "model.activation":
        if framework == "PyTorch":
            return f"{PYTORCH_ACTIVATIONS[value]}  # between the nn.Linear layers"
        if framework == "Keras":
            return f"layers.Dense(…, activation='{value.replace('-', '_')}')"
        # scikit-learn has no leaky ReLU, and a tanh cannot die either.
        return f"MLPClassifier(activation='{'tanh' if value == 'leaky-relu' else value}')"
    text = value if isinstance(value, str) else toml_value(value)
    words = WORDS.get(path, {}).get(framework)
    return words.format(value=text) if words else f"# {path} = {text} has no counterpart"


# What weights cannot show, for the rules that it could explain.
STEPS_TOO_LONG = {
    *("learning-rate-too-high", "large-weights", "dead-units", "exploding-gradient", "saturation"),
    "non-finite-parameters",
}
LEARNS_LITTLE = {
    *("not-learning", "collapsed-output", "vanishing-gradient", "small-weights", "underfitting"),
}
DOUBTFUL_CONFIDENCE = {"overconfident", "underconfident"}
QUESTIONS: Mapping[str, tuple[tuple[set[str], str], ...]] = {
    "PyTorch": (
        (
            STEPS_TOO_LONG | LEARNS_LITTLE,
            "Is optimizer.zero_grad() called in each step? Without it gradients add up.",
        ),
        (
            LEARNS_LITTLE | DOUBTFUL_CONFIDENCE,
            "Is there a softmax before CrossEntropyLoss, which applies one itself?",
        ),
    ),
    "Keras": (
        (
            LEARNS_LITTLE | DOUBTFUL_CONFIDENCE,
            "Is there a softmax in the last layer although the loss has from_logits=True?",
        ),
    ),
    "scikit-learn": (),
}
FOR_ALL = (
    (
        STEPS_TOO_LONG | LEARNS_LITTLE | {"unscaled-input"},
        "Were the inputs scaled in the training, and in the same way as here?",
    ),
)


def questions(findings: Sequence[Finding], framework: str) -> tuple[str, ...]:
    """Return the questions on the training whose answers the weights do not show."""
    rules = {finding.rule for finding in findings if finding.severity >= Severity.WARNING}
    return tuple(text for about, text in (*QUESTIONS[framework], *FOR_ALL) if about & rules)
