"""Elements of a page: whatever a value is, it is shown as text."""

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.html.markup import Markup, element, join, number
from actcli.html.page import Section, listing, page, table
from actcli.term.text import printable

HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet="<>&\"'`=/!-[]{}; \t\r\n\x00\x1b\u202e\u2066אب\ud800"),
    st.sampled_from(
        ["<script>alert(1)</script>", "]]><svg onload=x>", '"><img src=//x>', "--><b>"]
    ),
)


class Reader(HTMLParser):
    """Collects the elements, their attributes and the texts of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


PLAIN = read(page("x", element("p", "x", title="x"), [Section("a", "x", "x")], "x"))


@settings(max_examples=25, deadline=None)
@given(HOSTILE)
def test_no_text_becomes_an_element_or_an_attribute(text: str) -> None:
    rows = [[text, number(1.0, text)]]
    content = [listing(text), table(text, [text, text], rows, about=text)]
    made = page(text, element("p", text, title=text), [Section("a", text, content)], text)
    made.encode("utf-8")
    reader = read(made)
    allowed = {*PLAIN.tags, "pre", "code", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert set(reader.tags) <= {*allowed, "strong", "div", "data"}
    names = {name for name, _ in reader.attributes}
    assert names <= {name for name, _ in PLAIN.attributes} | {
        *("class", "role", "tabindex", "aria-label", "scope", "value", "title")
    }
    assert ("title", printable(text)) in reader.attributes
    if text:
        shown = "".join(reader.texts)
        assert shown.count(printable(text)) >= 5


def test_parts_are_escaped_once() -> None:
    inner = element("b", "a & b")
    assert inner == "<b>a &amp; b</b>"
    assert element("p", inner, " < ", 3, None, [1.5, "x"]) == "<p><b>a &amp; b</b> &lt; 31.5x</p>"
    assert isinstance(join("a", "b"), Markup)
    assert element("td", class_="x", aria_label='"', colspan=2, hidden=True, title=None) == (
        '<td class="x" aria-label="&quot;" colspan="2" hidden></td>'
    )
    assert element("br") == "<br/>"


@pytest.mark.parametrize("name", ["a b", "x>", "", "1", "on click"])
def test_a_name_that_is_not_one_is_refused(name: str) -> None:
    attributes: dict[str, Any] = {name: "x"}
    with pytest.raises(ValueError, match="is not the name of"):
        element(name)
    with pytest.raises(ValueError, match="is not the name of"):
        element("p", **attributes)


def test_a_number_keeps_its_value() -> None:
    assert number(0.98271, "98.27 %") == '<data value="0.98271">98.27 %</data>'
    assert number(float("nan"), "nan") == "nan"
    assert number(None, "–") == "–"
