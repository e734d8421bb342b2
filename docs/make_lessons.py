"""Run the commands of docs/lessons.md and write their outputs into the page:

    .venv/bin/python docs/make_lessons.py

A lesson is a heading, some commands, their output, and a text that explains the output. The
commands run as a reader would paste them, in an empty folder, and their output replaces the old
output. The text is written by hand. The script lists the numbers of the text that the new output
does not contain. They are corrected by hand, because only a reader can judge whether a claim is
still true.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent / "lessons.md"
BIN = Path(sys.executable).parent
COLUMNS = 80
LESSON = re.compile(
    r"^## (?P<title>[^\n]+)\n(?P<before>(?:(?!^## ).)*?)"
    r"^```console\n(?P<commands>.*?)^```\n\n```text\n(?P<output>.*?)^```\n"
    r"(?P<after>.*?)(?=^## |\Z)",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?<!,)")


@dataclass(frozen=True)
class Lesson:
    """One lesson of the page."""

    title: str
    commands: str  # one per line
    output: str
    text: str  # before the command and after the output

    @property
    def unfounded(self) -> list[str]:
        """The numbers of the text that are neither in the output nor in the commands."""
        shown = {*NUMBER.findall(self.output), *NUMBER.findall(self.commands)}
        return [number for number in NUMBER.findall(self.text) if number not in shown]


def lessons(page: str) -> list[Lesson]:
    """Return all lessons of a page, in their order."""
    return [
        Lesson(match["title"], match["commands"], match["output"], match["before"] + match["after"])
        for match in LESSON.finditer(page)
    ]


def run(commands: str) -> str:
    """Return the outputs of commands, with blank lines between them.

    Args:
        commands: one per line; they run one after the other in an empty folder, without a terminal.

    Raises:
        RuntimeError: a command fails or writes to stderr.
    """
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("ACTCLI_")}
    settings = {"COLUMNS": str(COLUMNS), "PYTHONUTF8": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    outputs = []
    with tempfile.TemporaryDirectory() as folder:
        for command in commands.splitlines():
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=folder,
                env=inherited | settings,
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
            if done.returncode or done.stderr:
                raise RuntimeError(f"{command}\n{done.stderr}exit code {done.returncode}")
            outputs.append(done.stdout)
    return "\n".join(output for output in outputs if output)


def renewed(page: str, answer: Callable[[str], str] = run) -> str:
    """Return a page in which each output is replaced by the present output of its commands."""

    def lesson(match: re.Match[str]) -> str:
        start, end = match.span("output")
        before, after = page[match.start() : start], page[end : match.end()]
        return f"{before}{answer(match['commands'])}{after}"

    return LESSON.sub(lesson, page)


def main() -> None:
    """Rewrite the page, and list the numbers of the text that its outputs do not contain."""
    page = renewed(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(page, encoding="utf-8")
    unfounded = [
        f"{lesson.title}: {', '.join(lesson.unfounded)}"
        for lesson in lessons(page)
        if lesson.unfounded
    ]
    if unfounded:
        raise SystemExit("\n".join(["In the text, but not in the output:", *unfounded]))


if __name__ == "__main__":
    main()
