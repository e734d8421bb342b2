"""A run of a comparison, from its records alone."""

from pathlib import Path

from actcli.config.schema import Config, toml_value, values
from actcli.errors import DataError
from actcli.explore.compare import ComparedRun
from actcli.store.catalog import summarize
from actcli.store.folder import CONFIG
from actcli.store.trained import read_training


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
