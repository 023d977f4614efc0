"""What a saved page says, in its own words: title, description, headings, main text, its pictures (addresses, and what they show).

A page is a stranger's file: it is only read. No script runs, nothing is fetched, no entity is looked up, and what a page can
make the reader do is bounded by its size in bytes, tags and attributes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urljoin

from pipelines.base import BadInput, Device, Kind, ModelSpec, Params, Report
from pipelines.step_params import ReadParams

BYTES = 4_000_000
"""So much of a page is read; what comes after it is not missed in a story."""
TEXT, LINE, SHORT, CAPTION = 50_000, 300, 1000, 120
HEADINGS, PICTURES = 100, 20
# Beyond this many tags the search for the main text takes seconds; all visible text serves instead.
TAGS = 30_000
# A page whose main text is found to be shorter than this is a list or a form: all visible text says more.
ARTICLE = 200
SMALLEST_PICTURE = 200

_HTML = re.compile(r"<(?:!doctype html|html|head|body)\b|</(?:p|div|span|a|h[1-6]|title|article|li|td|b|i)>", re.I)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r" ?\n[ \n]*")
# The parser compares each attribute with all before it, so one endless tag would take minutes; pictures written out as data are
# the honest case of a long one.
_DATA = re.compile(r"data:[^\s\"'<>]{64,}", re.I)
_ENDLESS_TAG = re.compile(r"<[a-zA-Z!?/][^<>]{4096,}>?")

_SILENT = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select", "textarea"}
)
_ASIDE = frozenset({"nav", "footer", "aside", "button", "form"})
_BLOCK = frozenset((
    "address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl", "dt", "figcaption", "figure",
    "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table",
    "td", "th", "title", "tr", "ul",
))  # fmt: skip
_TITLES = ("og:title", "twitter:title")
_DESCRIPTIONS = ("og:description", "description", "twitter:description")
_MAIN_WORDS = ("og:image:alt", "twitter:image:alt")
_MAIN_PICTURES = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
# The extraction marks what were lists and tables: "- entry", "| cell | cell |", "|---|---|".
_MARKS = re.compile(r"^[ \t]*(?:[-*] +|\|(.*)\|[ \t]*$)", re.M)
_DECORATION = re.compile(r"\.(?:svg|gif|ico)(?:$|\?)|icon|logo|sprite|avatar|badge|pixel|spacer", re.I)


class Reader:
    """`page` → `page.json`: `{"url", "title", "description", "headings", "text", "pictures", "captions"}`. `text` has one paragraph
    per line and at most 50,000 characters; `pictures` are absolute addresses, best first, none of them looked at, `captions` what the
    page says that each shows (or "")."""

    name: ClassVar[str] = "page-reader"
    version: ClassVar[str] = "2"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.READ: ReadParams}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls()

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        assert isinstance(params, ReadParams)
        page = read(inputs["page"][0], params.url, report)
        path = out / "page.json"
        path.write_text(json.dumps(page, ensure_ascii=False, indent=1) + "\n", "utf-8")
        return [path]

    def close(self) -> None:
        pass


def read(path: Path, url: str, report: Report) -> dict[str, Any]:
    """What the file says. Raises BadInput for a file that is not text, and for a page that says nothing."""
    with path.open("rb") as file:
        data = file.read(BYTES + 1)
    if len(data) > BYTES:
        report.warn("The page is very long; only its beginning was read.")
    text = decode(data[:BYTES])
    page = _read_html(text, url) if _HTML.search(text) else _read_plain(text)
    if not page["text"]:
        page["text"] = page["description"]
        report.warn(
            "The page shows no text of its own (it may need scripts); only its title and description were read."
        )
    if not (page["text"] or page["title"]):
        raise BadInput("page", "says nothing that could be read.", "Pages that need scripts or a login cannot be read.")
    report.record(characters=len(page["text"]))
    return {"url": url, **page}


def decode(data: bytes) -> str:
    """The characters of a page: by its byte order mark, as UTF-8 if it is, as it declares itself, else as the bytes look."""
    import webencodings

    text = None
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        if data.count(b"\0") > len(data) // 1000:
            raise BadInput("page", "is not a text or HTML file.")
        text = _as_utf8(data)
    if text is None:
        declared = re.search(rb"<meta[^>]{0,1000}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", data[:8192], re.I)
        encoding = webencodings.lookup(declared[1].decode("ascii", "ignore")) if declared else None
        text, _ = webencodings.decode(data, encoding or _guess(data), "replace")
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).encode("utf-8", "ignore").decode("utf-8")


def _as_utf8(data: bytes) -> str | None:
    """None when it is not UTF-8, and when it is pure ASCII that declares itself (ISO-2022-JP is written in ASCII bytes)."""
    if data.isascii() and b"\x1b" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The last character may have been cut in half.
        return data[: error.start].decode("utf-8-sig") if error.start >= len(data) - 3 else None


def _guess(data: bytes) -> str:
    import webencodings
    from charset_normalizer import from_bytes

    best = from_bytes(data[:200_000]).best()
    return best.encoding if best is not None and webencodings.lookup(best.encoding) is not None else "windows-1252"


def _read_plain(text: str) -> dict[str, Any]:
    text = _clean(text)
    first, _, rest = text.partition("\n")
    title = first if rest and len(first) <= 120 else ""
    return {"title": title, "description": "", "headings": [], "text": _cut(text, TEXT), "pictures": [], "captions": []}


def _read_html(markup: str, url: str) -> dict[str, Any]:
    from lxml import etree

    markup = _ENDLESS_TAG.sub(" ", _DATA.sub("data:", markup))
    seen = _Seen()
    parser = etree.HTMLParser(encoding="utf-8", target=seen)
    try:
        parser.feed(markup.encode("utf-8"))
        parser.close()
    except (etree.ParseError, AssertionError):
        pass  # What was seen until then counts.
    main = _main_text(markup) if seen.tags <= TAGS else ""
    everything = _clean("".join(seen.text))
    text = _cut(main if len(main) >= min(ARTICLE, len(everything)) else everything, TEXT)
    headings = _headings(seen.headings, text)
    title = next(filter(None, (_line(title) for title in (*seen.named(_TITLES), seen.title, *headings))), "")
    pictures = _absolute((*seen.main_pictures(), *seen.pictures), url, seen.base)
    return {
        "title": title,
        "description": next(filter(None, (_line(text, SHORT) for text in seen.named(_DESCRIPTIONS))), ""),
        "headings": headings,
        "text": text,
        "pictures": list(pictures),
        "captions": list(pictures.values()),
    }


def _headings(found: Iterable[str], text: str) -> list[str]:
    """Those that stand in the text, for others belong to what lies around it; all if none does."""
    every = list(dict.fromkeys(filter(None, (_line(heading) for heading in found))))
    lines = set(text.split("\n"))
    return ([heading for heading in every if heading in lines] or every)[:HEADINGS]


class _Seen:
    """What passes by while a page is parsed. Holds no tree, so depth and number of tags cost nothing."""

    def __init__(self) -> None:
        self.tags = 0
        self.base = ""
        self.title = ""
        self.meta: dict[str, str] = {}
        self.headings: list[str] = []
        self.pictures: list[tuple[str, str]] = []
        self.text: list[str] = []
        self._silent = self._aside = 0
        self._heading: list[str] | None = None
        self._in_title = self._titled = False

    def named(self, names: Iterable[str]) -> list[str]:
        return [self.meta[name] for name in names if name in self.meta]

    def main_pictures(self) -> list[tuple[str, str]]:
        """What the page offers as its picture, with what it says that it shows."""
        words = next(iter(self.named(_MAIN_WORDS)), "")
        return [(address, words) for address in self.named(_MAIN_PICTURES)]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.tags += 1
        if tag in _SILENT:
            self._silent += 1
        if self._silent:
            return
        if tag in _BLOCK:
            self.text.append("\n")
        if tag in _ASIDE:
            self._aside += 1
        elif tag in ("h1", "h2", "h3") and not self._aside:
            self._heading = []
        elif tag == "title":
            self._in_title = True
        elif tag == "base":
            self.base = self.base or attributes.get("href", "")
        elif tag == "meta":
            name = (attributes.get("property") or attributes.get("name") or "").strip().lower()
            if name and attributes.get("content"):
                self.meta.setdefault(name, attributes["content"])
        elif tag == "img" and not self._aside and len(self.pictures) < 10 * PICTURES:
            self.pictures.extend(_large(attributes))

    def end(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        if self._silent:
            return
        if tag in _BLOCK:
            self.text.append("\n")
        if tag in _ASIDE:
            self._aside = max(0, self._aside - 1)
        elif tag == "title":
            self._in_title, self._titled = False, bool(self.title)
        elif self._heading is not None and tag in ("h1", "h2", "h3"):
            self.headings.append("".join(self._heading))
            self._heading = None

    def data(self, text: str) -> None:
        if self._silent:
            return
        if self._in_title:
            self.title += "" if self._titled else text[:LINE]
            return
        self.text.append(text)
        if self._heading is not None and len(self._heading) < LINE:
            self._heading.append(text)

    def comment(self, text: str) -> None:
        """Comments say nothing to a reader."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Neither do instructions to a processor."""

    def close(self) -> None:
        """All is in the attributes."""


def _large(attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """The address of a picture that is not known to be small or an ornament, and what it shows."""
    sides = [
        int(side) for key in ("width", "height") if (side := attributes.get(key, "").removesuffix("px")).isdecimal()
    ]
    if any(side < SMALLEST_PICTURE for side in sides):
        return []
    addresses = [attributes.get(key, "").strip() for key in ("data-src", "data-original", "src")]
    wide = [candidate.split() for candidate in attributes.get("srcset", "").split(", ")[:20]]
    widths = [(int(parts[1][:-1]), parts[0]) for parts in wide if len(parts) == 2 and parts[1][:-1].isdecimal()]
    best = [max(widths)[1]] if widths else []
    found = next((address for address in (*best, *addresses) if address and not address.startswith("data:")), "")
    words = attributes.get("alt", "") or attributes.get("title", "")
    return [] if not found or _DECORATION.search(found) else [(found, words[:SHORT])]


def _absolute(pictures: Iterable[tuple[str, str]], url: str, base: str) -> dict[str, str]:
    """Absolute address → what it shows, for so many as are listed."""
    found: dict[str, str] = {}
    for address, words in pictures:
        try:
            absolute = urljoin(urljoin(url, base.strip()), address.strip())
        except ValueError:
            continue
        if absolute.startswith(("http://", "https://")) and len(absolute) <= 2000:
            found[absolute] = found.get(absolute) or _line(words, CAPTION)
    return dict(list(found.items())[:PICTURES])


def _main_text(markup: str) -> str:
    """The text of the page without its navigation and advertisements; empty when none can be told apart."""
    import trafilatura
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        tree = html.document_fromstring(markup.encode("utf-8"), parser=parser)
        etree.strip_elements(tree, *_SILENT, with_tail=False)
        text = trafilatura.extract(tree, include_comments=False, include_tables=True, favor_recall=True)
    except (etree.LxmlError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return ""  # Broken markup that the extraction stumbles over still has visible text.
    return _clean(_MARKS.sub(_spoken, text or ""))


def _spoken(marked: re.Match[str]) -> str:
    """A list entry without its dash, a row of a table as words with commas between them, nothing for the rule beneath its head."""
    row = marked[1]
    return ", ".join(cell.strip() for cell in row.split("|") if cell.strip(" -")) if row else ""


def _clean(text: str) -> str:
    """One paragraph per line, one space between words."""
    text = _CONTROL.sub("", text).encode("utf-8", "ignore").decode("utf-8")
    return _BREAKS.sub("\n", _SPACES.sub(" ", text)).strip()


def _line(text: str, limit: int = LINE) -> str:
    return _cut(_clean(text).replace("\n", " "), limit)


def _cut(text: str, limit: int) -> str:
    """Cut between words where there are any."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    last = max(head.rfind(" "), head.rfind("\n"))
    return (head[:last] if last > limit - 200 else head).rstrip()
