"""Make the pictures of the README from real sessions.

Each command runs in a real terminal (tmux) of 100 columns, from an empty folder; what the terminal
shows at the end, colours included, becomes an SVG. Needs tmux and an installed actcli:

    .venv/bin/python docs/make_pictures.py
"""

import io
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS, LINES = 100, 75
PICTURES = Path(__file__).parent / "pictures"
BIN = Path(sys.executable).parent
SESSIONS = {
    "train": "actcli train",
    "diagnose": "actcli diagnose",
    "predict": "actcli predict --worst 2",
    "compare": "actcli compare relu sigmoid",
    "softmax": "actcli softmax 2.0 1.0 -0.5 --labels cat,dog,bird --target dog",
}
BEFORE = {
    "diagnose": "actcli train dying-relu --quiet > train.txt",
    "predict": "actcli train --quiet > train.txt",
    "compare": "for name in relu sigmoid; do actcli train $name --quiet > train.txt; done",
}


def main() -> None:
    for name, command in SESSIONS.items():
        screen = Text.from_ansi(terminal(command, BEFORE.get(name, "true")))
        console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
        console.print(Text(f"$ {command}", style="bold"))
        console.print(screen)
        svg = console.export_svg(title="actcli", theme=MONOKAI, unique_id=name)
        # The fonts that rich asks the web for are not needed: each system has one of its own.
        svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
        (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")


def terminal(command: str, before: str) -> str:
    """What a terminal shows of a command, with its colours as escape sequences.

    Args:
        command: what is shown.
        before: what is run first, and is not shown.
    """
    session = "actcli-pictures"
    with tempfile.TemporaryDirectory() as folder:
        begin = f"cd {folder}; unset NO_COLOR; PATH={BIN}:$PATH; {before}; clear"
        shell = f"{begin}; {command}; tmux wait-for -S {session}; sleep 60"
        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        subprocess.run(["tmux", "new-session", "-d", "-s", session, *size, shell], check=True)
        try:
            subprocess.run(["tmux", "wait-for", session], check=True, timeout=120)
            time.sleep(0.5)
            shown = subprocess.run(
                ["tmux", "capture-pane", "-e", "-p", "-t", session],
                check=True,
                capture_output=True,
                text=True,
            )
        finally:
            subprocess.run(["tmux", "kill-session", "-t", session], check=True)
    return shown.stdout.rstrip()


if __name__ == "__main__":
    main()
