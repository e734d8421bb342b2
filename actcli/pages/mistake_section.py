"""The gallery of the most confident mistakes: each image beside the outputs of the network."""

from collections.abc import Iterator

import numpy as np

from actcli.explore.predict import Prediction, Predictions
from actcli.html.markup import Content, Markup, element, join, number
from actcli.html.page import Section, paragraph
from actcli.html.png import data_uri, png
from actcli.pages.cells import count
from actcli.store.run_report import RunReport
from actcli.term.numbers import percent, significant

GREYS = [(level, level, level) for level in range(256)]
BARS = 4  # outputs beside an image: the largest ones, and that of the true class


def mistake_section(report: RunReport) -> Section:
    """Return the most confident mistakes on the test rows."""
    return Section("mistakes", "The most confident mistakes", list(_contents(report)))


def _contents(report: RunReport) -> Iterator[Content]:
    mistakes = report.test.mistakes if report.test else None
    if mistakes is None:
        yield paragraph("The mistakes are not known.")
        return
    wrong, rows = mistakes.mistakes or 0, mistakes.rows or 0
    if not wrong:
        yield paragraph("None of the ", count(rows), f" {mistakes.split} rows is predicted wrong.")
        return
    yield paragraph(
        count(wrong),
        " of ",
        count(rows),
        f" {mistakes.split} rows are predicted wrong. The network was most sure of these; ",
        "the orange bar is the true class.",
    )
    pictures = [_mistake(each, mistakes) for each in mistakes.predictions]
    yield element("div", *pictures, class_="mistakes")


def _mistake(prediction: Prediction, mistakes: Predictions) -> Markup:
    names = mistakes.classes
    true = prediction.true_class if prediction.true_class is not None else prediction.answer
    title = join(
        element("strong", element("bdi", names[true])),
        " taken for ",
        element("strong", element("bdi", names[prediction.answer])),
        ", row ",
        number(prediction.index, str(prediction.index)),
    )
    caption = element("figcaption", title)
    alt = f"An image of {names[true]}, taken for {names[prediction.answer]}"
    picture = _picture(prediction.image, alt) if prediction.image is not None else None
    return element("figure", picture, caption, _bars(prediction, mistakes, true))


def _picture(image: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", alt: str) -> Markup:
    levels = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
    source = data_uri(png([row.tobytes() for row in levels], GREYS))
    size = {"width": image.shape[1], "height": image.shape[0]}
    return element("img", src=source, alt=alt, class_="pixels", **size)


def _bars(prediction: Prediction, mistakes: Predictions, true: int) -> Markup:
    """Return the largest outputs as bars, and that of the true class."""
    outputs = prediction.outputs.tolist()
    order = sorted(range(len(outputs)), key=lambda index: -outputs[index])
    shown = order[:BARS] if true in order[:BARS] else [*order[: BARS - 1], true]
    parts: list[Markup] = []
    is_share = mistakes.output != "identity"
    longest = max(map(abs, outputs)) or 1.0
    for index in shown:
        value = outputs[index]
        length = value if is_share else abs(value) / longest
        text = percent(value) if is_share else significant(value, 3)
        bar = element(
            "i",
            style=f"width:{100 * length:.2f}%",
            class_="true" if index == true else None,
            aria_hidden="true",
        )
        parts += [element("bdi", mistakes.classes[index]), bar, number(value, text)]
    return element("div", *parts, class_="meter")
