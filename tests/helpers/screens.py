"""Run a command for a screen of some width and encoding, and check what every view must keep."""

from click.testing import CliRunner
from rich.cells import cell_len

from actcli.cli import main


def on_screen(*args: str, columns: int, encoding: str) -> str:
    """Return the output of a command, whose lines fit and have no escape codes."""
    result = CliRunner(charset=encoding).invoke(main, args, env={"COLUMNS": str(columns)})
    assert (result.exit_code, result.stderr) == (0, "")
    text = result.stdout_bytes.decode(encoding)
    assert "\x1b" not in text
    assert "\\u" not in text
    for line in text.splitlines():
        assert cell_len(line) <= columns or "  actcli " in line  # a command is never wrapped
        assert line == line.rstrip()
    return text
