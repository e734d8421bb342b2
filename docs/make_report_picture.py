"""Make the picture of a report for the README: a part of a page in a browser, light and dark.

The script needs Chromium, Pillow and an installed actcli:

    .venv/bin/python docs/make_report_picture.py
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from chromium import browser, find_chromium  # noqa: E402 - once its folder is known

WIDTH = 1100  # of the window
FIRST, AFTER = "curves", "layers"  # the sections at which the picture begins and ends
SCHEMES = {"": "dark", "-light": "light"}
BEFORE = (("train", "dying-relu", "-q"), ("fix", "dying-relu", "-q"), ("report", "dying-relu"))


def main() -> None:
    program = find_chromium()
    if program is None:
        sys.exit("there is no Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, browser(program) as page:
        for arguments in BEFORE:
            command = [sys.executable, "-m", "actcli", *arguments]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        page.resize(WIDTH)
        page.open(Path(folder) / "report.html")
        place = "Math.round(document.getElementById('{}').getBoundingClientRect().top + scrollY)"
        top, bottom = (page.value(place.format(name)) for name in (FIRST, AFTER))
        for suffix, scheme in SCHEMES.items():
            page.resize(WIDTH, scheme=scheme)
            picture = Image.open(io.BytesIO(page.picture(WIDTH, bottom - top, top)))
            small = picture.convert("RGB").quantize(method=Image.Quantize.MAXCOVERAGE)
            path = ROOT / "docs" / "pictures" / f"report{suffix}.png"
            small.save(path, optimize=True)
            print(path, path.stat().st_size)  # noqa: T201 - a script for people


if __name__ == "__main__":
    main()
