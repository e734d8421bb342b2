"""actcli: train multilayer perceptrons in plain NumPy, and find the faults inside them.

    import actcli

    data = actcli.load_data("mnist")
    training = actcli.fit(data, epochs=2).run()
    print(actcli.diagnose(training.model, data).verdict)

Names are imported when they are first used (PEP 562): `import actcli` alone loads neither NumPy nor
rich. `docs/api.md` describes each of them.
"""

TYPE_CHECKING = False  # that of `typing`, which takes a while to import
if TYPE_CHECKING:
    from typing import Any

    from actcli.api import (
        calibrate,
        diagnose,
        evaluate,
        fit,
        fix,
        load_data,
        losses,
        lr_find,
        runs,
        softmax,
        train,
    )
    from actcli.config.schema import Config
    from actcli.errors import ActcliError
    from actcli.model import Model

__version__ = "0.1.0"

__all__ = [
    "ActcliError",
    "Config",
    "Model",
    "calibrate",
    "diagnose",
    "evaluate",
    "fit",
    "fix",
    "load_data",
    "losses",
    "lr_find",
    "runs",
    "softmax",
    "train",
]

_ELSEWHERE = {
    "ActcliError": "actcli.errors",
    "Config": "actcli.config.schema",
    "Model": "actcli.model",
}


def __getattr__(name: str) -> "Any":
    if name not in __all__:
        raise AttributeError(f"module 'actcli' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_ELSEWHERE.get(name, "actcli.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
