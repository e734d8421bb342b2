"""The page: its frame and its style, its sections, tables and figures.

The page is complete without a script. Its policy forbids every request; pictures are data of the
page. Charts stand in columns as wide as a phone, and none is cut where a printed page ends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from actcli.html.colours import (
    BLUES,
    DARK,
    DARK_CURVES,
    DASHES,
    LIGHT,
    LIGHT_CURVES,
    SHADES,
    between,
    hexadecimal,
    ink_on,
)
from actcli.html.markup import Content, Markup, element, join

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Args:
        key: its name in addresses: page.html#key.
        title: its heading.
        contents: of the section.
    """

    key: str
    title: str
    contents: Content


def page(title: str, lead: Content, sections: Sequence[Section], foot: Content) -> str:
    """Return a page.

    Args:
        title: of the page.
        lead: what stands between the title and the contents.
        sections: in their order.
        foot: what stands at the end.
    """
    entries = [
        element("li", element("a", section.title, href=f"#{section.key}")) for section in sections
    ]
    body = element(
        "body",
        element("a", "Skip to the contents", class_="skip", href="#contents"),
        element(
            "header",
            element("h1", element("bdi", title)),
            lead,
            element("nav", element("ol", *entries), aria_label="Sections"),
        ),
        element("main", *map(_section, sections), id="contents"),
        element("footer", foot),
    )
    head = join(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="viewport", content="width=device-width,initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", Markup(style_sheet())),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n{body}\n</html>\n'


def _section(section: Section) -> Markup:
    heading = element("h2", section.title, id=f"{section.key}-heading")
    label = f"{section.key}-heading"
    return element("section", heading, section.contents, id=section.key, aria_labelledby=label)


def paragraph(*contents: Content) -> Markup:
    """Return a paragraph."""
    return element("p", *contents)


def listing(text: str) -> Markup:
    """Return a text whose lines stay as they are, such as a configuration."""
    lines = [join(line) for line in text.strip("\n").split("\n")]
    code = element("code", Markup("\n".join(lines)))
    return element("pre", code, tabindex=0)


def code(text: str) -> Markup:
    """Return a command, a key or a value."""
    return element("code", text)


def columns(*figures: Content) -> Markup:
    """Return figures side by side, as many as fit."""
    return element("div", *figures, class_="columns")


def beside(*contents: Content) -> Markup:
    """Return tables side by side, if there is room for them."""
    return element("div", *contents, class_="beside")


def figure(title: str, *contents: Content, about: Content = None, wide: bool = False) -> Markup:
    """Return a chart with its title and a sentence on it.

    Args:
        title: of the figure.
        contents: chart, legend, numbers.
        about: the sentence.
        wide: whether the figure takes the whole width of the page.
    """
    caption = element("figcaption", element("strong", title), " ", about)
    return element("figure", caption, *contents, class_="wide" if wide else None)


def table(
    caption: str,
    headings: Sequence[Content],
    rows: Iterable[Sequence[Content]],
    texts: frozenset[int] = frozenset({0}),
    about: Content = None,
) -> Markup:
    """Return a table; the first cell of a row is its heading.

    Args:
        caption: the title of the table.
        headings: of the columns.
        rows: the cells.
        texts: the columns with texts; all others hold numbers, which stand on the right.
        about: a sentence on the table.
    """
    return element(
        "div",
        element(
            "table",
            element("caption", element("strong", caption), " ", about),
            element(
                "thead", element("tr", *(_heading(*each, texts) for each in enumerate(headings)))
            ),
            element("tbody", *(_row(cells, texts) for cells in rows)),
        ),
        class_="scroll",
        role="region",
        aria_label=caption,
        tabindex=0,
    )


def _heading(position: int, content: Content, texts: frozenset[int]) -> Markup:
    return element("th", content, scope="col", class_="text" if position in texts else None)


def _row(cells: Sequence[Content], texts: frozenset[int]) -> Markup:
    parts = [
        element(
            "td" if position else "th",
            content,
            scope=None if position else "row",
            class_="text" if position in texts else None,
        )
        for position, content in enumerate(cells)
    ]
    return element("tr", *parts)


def details(summary: str, *contents: Content) -> Markup:
    """Return contents that are shown on request."""
    return element("details", element("summary", summary), *contents)


def badge(text: str, kind: str) -> Markup:
    """Return a word in a coloured frame; `kind` is "error", "warning" or "good"."""
    return element("span", text, class_=f"badge {kind}")


def style_sheet() -> str:
    """Return the rules of the page, with the colours of light and of dark pages."""
    shades = "".join(
        f".h{number}{{background:{hexadecimal(shade)};color:{ink_on(shade)}}}"
        for number, shade in enumerate(
            between(BLUES, (index + 0.5) / SHADES) for index in range(SHADES)
        )
    )
    curves = "".join(
        f".c{number}{{stroke:var(--c{number});fill:var(--c{number})}}"
        f".curve.c{number}{{stroke-dasharray:{dashes or 'none'};fill:none}}"
        for number, dashes in enumerate(DASHES)
    )
    dark = _variables(DARK, DARK_CURVES)
    return (
        f":root{{color-scheme:light dark;{_variables(LIGHT, LIGHT_CURVES)}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{RULES}{curves}{shades}"
    )


def _variables(colours: dict[str, str], curves: Sequence[str]) -> str:
    named = {**colours, **{f"c{number}": colour for number, colour in enumerate(curves)}}
    return "".join(f"--{name}:{colour};" for name, colour in named.items())


RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0 auto;max-width:1200px;padding:1rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.3rem;margin:0 0 .75rem;padding-top:1.25rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.25rem 0 .5rem}
section{margin-top:2rem}
p{margin:.5rem 0;max-width:75ch}
a{color:var(--link)}
.skip{position:absolute;left:-100vw}
.skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.5rem}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
nav ol{margin:.75rem 0;padding:0;list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem}
bdi,td,th,dd{unicode-bidi:isolate}
.dim,figcaption,caption,footer{color:var(--dim)}
figcaption strong,caption strong{color:var(--ink)}
.beside{display:flex;flex-wrap:wrap;gap:0 2.5rem}
.beside>*{min-width:0;max-width:100%}
.columns{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));
gap:1.25rem 1.5rem;align-items:start}
figure{margin:0;min-width:0}
figure.wide{grid-column:1/-1}
figcaption,caption{font-size:.875rem;text-align:left;margin-bottom:.375rem;line-height:1.4}
caption{caption-side:top;padding-bottom:.375rem}
svg.chart{display:block;width:100%;max-width:460px;height:auto;overflow:visible}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
fill:var(--ink);unicode-bidi:isolate}
svg .label{fill:var(--dim)}
svg .end{text-anchor:end}
svg .mid{text-anchor:middle}
.grid{stroke:var(--grid)}
.axis{stroke:var(--dim)}
.rule{stroke:var(--dim);stroke-dasharray:3 3}
.curve{stroke-width:2;stroke-linejoin:round;fill:none}
.faint{stroke:var(--dim);stroke-width:1;opacity:.55;fill:none}
circle{stroke-width:0}
circle:hover{stroke-width:4}
.diagonal{stroke:var(--dim);stroke-dasharray:4 3}
rect.bar{fill:var(--c0)}
rect.other{fill:var(--c1)}
.pixels,.pixels img,img.pixels{image-rendering:pixelated}
.legend{list-style:none;margin:.25rem 0;padding:0;display:flex;flex-wrap:wrap;gap:.125rem .875rem;
font-size:.8125rem}
.swatch{width:28px;height:12px;vertical-align:-1px}
.square{display:inline-block;width:.8em;height:.8em;border:1px solid var(--dim)}
.ramp{font-size:.8125rem;color:var(--dim)}
.ramp img{width:7rem;height:.7rem;vertical-align:-1px;border:1px solid var(--line)}
.scroll{overflow-x:auto;max-width:100%;margin:.75rem 0}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
td,th{padding:.25rem .625rem;text-align:right;border-bottom:1px solid var(--line);
overflow-wrap:normal}
th{font-weight:600}
tbody th{font-weight:500}
.text{text-align:left}
.matrix td,.matrix th{padding:.125rem;text-align:center;min-width:1.55rem;font-size:.6875rem}
@media (min-width:600px){.matrix td,.matrix th{min-width:2rem;font-size:.75rem}}
data{white-space:nowrap}
.matrix td.right{outline:1px solid var(--dim);outline-offset:-2px}
pre{background:var(--panel);padding:.625rem .75rem;overflow-x:auto;margin:.5rem 0;
font-size:.8125rem}
code{font-family:ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
p code,td code,dd code{background:var(--panel);padding:0 .25em}
details{margin:.25rem 0;font-size:.875rem}
summary{cursor:pointer;color:var(--link)}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.25rem 1rem;margin:.5rem 0}
dt{color:var(--dim)}
dd{margin:0}
@media (max-width:599px){dl{grid-template-columns:minmax(0,1fr)}dt{font-weight:600}}
dd ul{margin:0;padding-left:1.1em}
.facts{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;margin:.5rem 0;padding:0;list-style:none}
.facts b{font-size:1.25rem;font-weight:600;display:block}
.facts li{font-size:.875rem;color:var(--dim)}
.facts b{color:var(--ink)}
.finding{border-left:4px solid var(--dim);padding:.25rem 0 .25rem 1rem;margin:1rem 0}
.finding.error{border-color:var(--error)}
.finding.warning{border-color:var(--warning)}
.finding h3{margin:0 0 .25rem}
.badge{border:1.5px solid;border-radius:.25rem;padding:0 .4em;font-size:.8125rem;font-weight:600}
.badge.error{color:var(--error)}
.badge.warning{color:var(--warning)}
.badge.good{color:var(--good)}
.units{display:grid;grid-template-columns:repeat(auto-fill,minmax(88px,1fr));gap:.75rem}
.units figcaption{font-size:.75rem}
.units img{width:100%;max-width:112px;height:auto;display:block;border:2px solid var(--line)}
.units .dead img{border:2px dashed var(--error)}
.mistakes{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,150px),1fr));
gap:1.25rem}
.mistakes img{width:112px;height:auto;display:block;border:1px solid var(--line);background:#000}
.meter{display:grid;grid-template-columns:minmax(1.5rem,max-content) 1fr max-content;
gap:0 .375rem;font-size:.75rem;align-items:center;margin:.25rem 0 0}
.meter i{display:block;height:.6rem;background:var(--c0);min-width:1px}
.meter .true{background:var(--c1)}
footer{margin-top:2.5rem;border-top:1px solid var(--line);padding-top:.75rem;font-size:.875rem}
@media print{body{max-width:none;padding:0;font-size:10pt}nav,.skip{display:none}
figure,tr,.finding,pre{break-inside:avoid}h2,h3,caption{break-after:avoid}
.columns{grid-template-columns:repeat(2,1fr)}
.scroll{overflow:visible}table{font-size:8pt}pre{white-space:pre-wrap}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
""".replace("\n", "")
