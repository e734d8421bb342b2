"""The pages in a real browser: nothing is requested, nothing overflows, every chart is visible."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import Browser, browser, find_chromium
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file
from sweep_folders import write_sweep

from actcli.cli import main
from actcli.datasets.dataset import read_dataset

CHROMIUM = find_chromium()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]
WIDTHS = (375, 1200)
SCREENSHOTS = os.environ.get("REPORT_SCREENSHOTS")  # a folder for pictures of all pages
LOOK = """
(() => {
  const luminance = text => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  const contrast = text => {
    const other = luminance(text);
    return (Math.max(paper, other) + 0.05) / (Math.min(paper, other) + 0.05);
  };
  const faults = [];
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) faults.push(`the page is ${page.scrollWidth} wide`);
  const charts = [...document.querySelectorAll('svg.chart')];
  for (const chart of charts) {
    const name = chart.getAttribute('aria-label'), box = chart.getBoundingClientRect();
    if (box.width < 200 || box.height < 50 || box.left < 0 || box.right > innerWidth)
      faults.push(`${name}: from ${box.left} to ${box.right}, ${box.height} high`);
    const marks = [...chart.querySelectorAll('path.curve, circle, rect, image')]
      .filter(mark => mark.getBoundingClientRect().width + mark.getBoundingClientRect().height > 0);
    if (!marks.length) faults.push(`${name}: nothing is drawn`);
    for (const mark of marks) {
      const style = getComputedStyle(mark), at = mark.getBoundingClientRect();
      if (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1 ||
          at.bottom > box.bottom + 1) faults.push(`${name}: a mark lies outside`);
      const colour = mark.tagName == 'path' ? style.stroke : style.fill;
      if (mark.tagName != 'image' && !mark.classList.contains('faint') && contrast(colour) < 3)
        faults.push(`${name}: ${colour} is hard to see`);
    }
    for (const text of chart.querySelectorAll('text')) {
      const at = text.getBoundingClientRect();
      if (at.left < -1 || at.right > innerWidth + 1) faults.push(`${name}: a text is cut`);
      if (contrast(getComputedStyle(text).fill) < 4.5) faults.push(`${name}: a text is faint`);
      if (parseFloat(getComputedStyle(text).fontSize) * box.width / 360 < 10)
        faults.push(`${name}: a text is small`);
    }
  }
  for (const image of document.images)
    if (!image.complete || !image.naturalWidth) faults.push(`${image.alt} is not shown`);
  return {faults: [...new Set(faults)], charts: charts.length, paper};
})()
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all pages."""
    with browser(CHROMIUM or "") as opened:
        yield opened


def run(*args: str) -> None:
    result = CliRunner().invoke(main, args)
    assert result.exit_code in {0, 3}, result.output  # 3: a fix that did not cure


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of each kind, on some images of MNIST."""
    place = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        mnist = read_dataset("mnist")
        arrays = {}
        for part, split in (("train", mnist.train), ("test", mnist.test)):
            arrays[f"x_{part}"] = split.x[::120].reshape(-1, 28, 28)
            arrays[f"y_{part}"] = split.y[::120]
        np.savez("sample.npz", **arrays)
        options = ["--dataset", "sample.npz", "--workers", "1", "-q"]
        for name in ("default", "dying-relu", "deep-sigmoid"):
            run("train", name, *options)
        run("fix", "dying-relu", "--tries", "1", "-q")
        for name in ("default", "dying-relu", "deep-sigmoid"):
            run("report", name, "-o", f"{name}.html")
        run("report", "default", "dying-relu", "deep-sigmoid", "-o", "three.html")
        save_file(load_file("runs/default/model.safetensors"), "net.safetensors")
        run("report", "net.safetensors", "-o", "unknown.html")
        foreign = ["--activation", "relu", "--dataset", "sample.npz"]
        run("report", "net.safetensors", *foreign, "-o", "file.html")
        axes, values = ["optimizer.learning_rate", "model.dropout"], (0.01, 0.1, 1.0)
        write_sweep(Path("runs/lr"), axes[:1], [(value,) for value in values])
        write_sweep(Path("runs/map"), axes, itertools.product(values, (0.0, 0.5)))
        for name in ("lr", "map"):
            run("report", name, "-o", f"{name}.html")
    return place


def test_every_page_is_whole_in_a_browser(chromium: Browser, pages: Path) -> None:
    for path in sorted(pages.glob("*.html")):
        for width in WIDTHS:
            chromium.resize(width)
            chromium.open(path)
            for scheme in ("light", "dark"):
                chromium.resize(width, scheme=scheme)
                look = chromium.value(LOOK)
                assert look["faults"] == [], (path.name, width, scheme)
                assert (look["paper"] > 0.5) == (scheme == "light")
                expected = {"map": 0, "unknown": 0, "lr": 2, "three": 5, "file": 8}
                assert look["charts"] >= expected.get(path.stem, 12), path.name
                if SCREENSHOTS:
                    chromium.screenshot(Path(SCREENSHOTS) / f"{path.stem}-{width}-{scheme}.png")
            assert chromium.requests == [path.as_uri()]
            assert chromium.messages == []


def test_a_printed_page_is_light_and_cuts_nothing(chromium: Browser, pages: Path) -> None:
    chromium.resize(794, 1123, "dark")
    chromium.open(pages / "default.html")
    chromium.call("Emulation.setEmulatedMedia", media="print")
    look = chromium.value(LOOK)
    chromium.call("Emulation.setEmulatedMedia", media="")
    assert [fault for fault in look["faults"] if "small" not in fault] == []
    assert look["paper"] == 1
    assert chromium.pdf().startswith(b"%PDF")


def test_negative_control_a_broken_page_is_noticed(
    chromium: Browser, pages: Path, tmp_path: Path
) -> None:
    text = (pages / "default.html").read_text(encoding="utf-8")
    wide = '<div style="width:2000px">x</div><img src="http://127.0.0.1:9/x.png" alt="x">'
    path = tmp_path / "broken.html"
    path.write_text(
        text.replace("<footer>", f"{wide}<footer>").replace("--c0:#0072b2", "--c0:#fff")
    )
    chromium.resize(375)
    chromium.open(path)
    faults = chromium.value(LOOK)["faults"]
    assert any("wide" in fault for fault in faults)
    assert any("hard to see" in fault for fault in faults)
    assert chromium.messages, "the policy of the page forbids the request"
