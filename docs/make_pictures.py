"""Make the pictures of the README from real sessions.

Each command runs in a real terminal (tmux) of 100 columns, in an empty folder. The final screen,
colours included, becomes an SVG in the same way as with `--save`. Each session is drawn twice, for
dark and for light pages. The script needs tmux and an installed actcli:

    .venv/bin/python docs/make_pictures.py
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Group
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from actcli.term.palette import DARK, LIGHT, StyleSheet
from actcli.term.picture import svg

COLUMNS, LINES = 100, 75
THEMES = {"": DARK, "-light": LIGHT}
PICTURES = Path(__file__).parent / "pictures"
BIN = Path(sys.executable).parent
SESSIONS = {
    "train": "actcli train",
    "diagnose": "actcli diagnose",
    "predict": "actcli predict --worst 2",
    "compare": "actcli compare relu sigmoid",
    "activations": "actcli activations sigmoid relu --at -2,0,0.5",
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
        for suffix, theme in THEMES.items():
            drawn = picture(f"$ {command}", screen, theme)
            (PICTURES / f"{name}{suffix}.svg").write_text(drawn, encoding="utf-8")


def picture(prompt: str, screen: Text, theme: TerminalTheme) -> str:
    """Return an SVG of a typed command and the screen after it."""
    session = Group(Text(prompt, style="bold"), screen)
    return svg(session, COLUMNS, "actcli", StyleSheet(theme, dark=None))


def terminal(command: str, before: str) -> str:
    """Return the screen of a terminal after a command, with colours as escape sequences.

    Args:
        command: the command whose output is shown.
        before: a command that runs first; its output is not shown.
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
            capture = subprocess.run(
                ["tmux", "capture-pane", "-e", "-p", "-t", session],
                check=True,
                capture_output=True,
                text=True,
            )
        finally:
            subprocess.run(["tmux", "kill-session", "-t", session], check=True)
    return capture.stdout.rstrip()


if __name__ == "__main__":
    main()
