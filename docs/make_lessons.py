"""Write the outputs in docs/lessons.md anew, from real runs:

    .venv/bin/python docs/make_lessons.py

A lesson of that page is a heading, some commands, what they write, and what is to be seen in that.
The commands run as they would be pasted, in an empty folder, and what they write takes the place of
the old output; all else is written by hand. Numbers that the text quotes, but the output does not
hold (any more) are named, and are put right by hand: only a reader can tell whether a claim still
is true.
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
    """One lesson, as it stands in the page."""

    title: str
    commands: str  # one a line
    output: str
    text: str  # before the command and after the output

    @property
    def unfounded(self) -> list[str]:
        """The numbers of the text that neither the output nor the command holds."""
        shown = {*NUMBER.findall(self.output), *NUMBER.findall(self.commands)}
        return [number for number in NUMBER.findall(self.text) if number not in shown]


def lessons(page: str) -> list[Lesson]:
    """All lessons of a page, in their order."""
    return [
        Lesson(each["title"], each["commands"], each["output"], each["before"] + each["after"])
        for each in LESSON.finditer(page)
    ]


def run(commands: str) -> str:
    """What lines write in a pipe, one after the other in an empty folder, blank lines between.

    Raises:
        RuntimeError: one of them fails or complains.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith("ACTCLI_")}
    settings = {"COLUMNS": str(COLUMNS), "PYTHONUTF8": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    outputs = []
    with tempfile.TemporaryDirectory() as folder:
        for command in commands.splitlines():
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=folder,
                env=kept | settings,
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
            if done.returncode or done.stderr:
                raise RuntimeError(f"{command}\n{done.stderr}exit code {done.returncode}")
            outputs.append(done.stdout)
    return "\n".join(output for output in outputs if output)


def renewed(page: str, answer: Callable[[str], str] = run) -> str:
    """A page with the outputs that its commands have now."""

    def lesson(found: re.Match[str]) -> str:
        start, end = found.span("output")
        before, after = page[found.start() : start], page[end : found.end()]
        return f"{before}{answer(found['commands'])}{after}"

    return LESSON.sub(lesson, page)


def main() -> None:
    page = renewed(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(page, encoding="utf-8")
    unfounded = [
        f"{each.title}: {', '.join(each.unfounded)}" for each in lessons(page) if each.unfounded
    ]
    if unfounded:
        raise SystemExit("\n".join(["In the text, but not in the output:", *unfounded]))


if __name__ == "__main__":
    main()
