"""A run of a comparison, from its records alone; or a file of weights, which has none."""

from pathlib import Path

from actcli.config.schema import Config, toml_value, values
from actcli.errors import DataError
from actcli.explore.compare import ComparedRun
from actcli.store.catalog import summarize
from actcli.store.folder import CONFIG
from actcli.store.targets import Target
from actcli.store.trained import read_training
from actcli.training.evaluation import evaluate


def compared_run(folder: Path) -> ComparedRun:
    """Return a run to compare; its verdict is the one that was recorded at its end, or None.

    Raises:
        DataError: the folder is damaged.
    """
    run = summarize(folder)
    if run.config is None:
        raise DataError(f"{folder} is damaged: {run.fault}")
    config = Config.load(folder / CONFIG).resolve()
    return ComparedRun(
        name=run.name,
        state=run.state,
        settings={str(key): toml_value(value) for key, value in values(run.config)},
        history=read_training(config, folder).history,
        test_loss=run.test_loss,
        test_accuracy=run.test_accuracy,
        dead=run.dead,
        silent=run.silent,
        verdict=run.verdict,
    )


def compared_file(target: Target) -> ComparedRun:
    """Return a file of weights to compare: what is known of its configuration, and its test loss.

    Args:
        target: the network in the file, with its data set.
    """
    model, dataset = target.model, target.dataset
    network = model.network
    settings = {
        "data.name": dataset.name,
        "data.normalize": model.normalization.method,
        "model.hidden": network.sizes[1:-1],
        "model.activation": tuple(dict.fromkeys(network.activation_names)),
        "model.output": model.loss.output,
        "loss.name": model.loss_name,
    }
    score = evaluate(model, dataset.test)
    return ComparedRun(
        name=target.name,
        state="file",
        settings={key: toml_value(value) for key, value in settings.items()},
        history=(),
        test_loss=score.loss,
        test_accuracy=score.accuracy,
        dead=None,
        silent=None,
        verdict=None,
    )
