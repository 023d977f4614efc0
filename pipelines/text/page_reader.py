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

MAX_PAGE_BYTES = 4_000_000
"""So much of a page is read; what comes after it is not missed in a story."""
MAX_TEXT_LENGTH, MAX_LINE_LENGTH, MAX_DESCRIPTION_LENGTH, MAX_CAPTION_LENGTH = 50_000, 300, 1000, 120
MAX_HEADINGS, MAX_IMAGES = 100, 20
# Beyond this many tags the search for the main text takes seconds; all visible text serves instead.
MAX_TAGS = 30_000
# A page whose main text is found to be shorter than this is a list or a form: all visible text says more.
MIN_ARTICLE_LENGTH = 200
MIN_IMAGE_SIZE = 200

_HTML_MARKUP = re.compile(
    r"<(?:!doctype html|html|head|body)\b|</(?:p|div|span|a|h[1-6]|title|article|li|td|b|i)>", re.I
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r" ?\n[ \n]*")
# The parser compares each attribute with all before it, so one endless tag would take minutes; pictures written out as data are
# the honest case of a long one.
_DATA_URL = re.compile(r"data:[^\s\"'<>]{64,}", re.I)
_OVERSIZED_TAG = re.compile(r"<[a-zA-Z!?/][^<>]{4096,}>?")

_SKIPPED_TAGS = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select", "textarea"}
)
_BOILERPLATE_TAGS = frozenset({"nav", "footer", "aside", "button", "form"})
_BLOCK_TAGS = frozenset((
    "address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl", "dt", "figcaption", "figure",
    "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table",
    "td", "th", "title", "tr", "ul",
))  # fmt: skip
_TITLE_PROPERTIES = ("og:title", "twitter:title")
_DESCRIPTION_PROPERTIES = ("og:description", "description", "twitter:description")
_IMAGE_ALT_PROPERTIES = ("og:image:alt", "twitter:image:alt")
_IMAGE_PROPERTIES = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
# The extraction marks what were lists and tables: "- entry", "| cell | cell |", "|---|---|".
_LIST_OR_TABLE_MARKUP = re.compile(r"^[ \t]*(?:[-*] +|\|(.*)\|[ \t]*$)", re.M)
_DECORATIVE_IMAGE = re.compile(r"\.(?:svg|gif|ico)(?:$|\?)|icon|logo|sprite|avatar|badge|pixel|spacer", re.I)


class PageReader:
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
        page = read_page(inputs["page"][0], params.url, report)
        path = out / "page.json"
        path.write_text(json.dumps(page, ensure_ascii=False, indent=1) + "\n", "utf-8")
        return [path]

    def close(self) -> None:
        pass


def read_page(path: Path, url: str, report: Report) -> dict[str, Any]:
    """What the file says. Raises BadInput for a file that is not text, and for a page that says nothing."""
    with path.open("rb") as file:
        data = file.read(MAX_PAGE_BYTES + 1)
    if len(data) > MAX_PAGE_BYTES:
        report.warn("The page is very long; only its beginning was read.")
    text = decode_page(data[:MAX_PAGE_BYTES])
    page = _read_html(text, url) if _HTML_MARKUP.search(text) else _read_plain(text)
    if not page["text"]:
        page["text"] = page["description"]
        report.warn(
            "The page shows no text of its own (it may need scripts); only its title and description were read."
        )
    if not (page["text"] or page["title"]):
        raise BadInput("page", "says nothing that could be read.", "Pages that need scripts or a login cannot be read.")
    report.record(characters=len(page["text"]))
    return {"url": url, **page}


def decode_page(data: bytes) -> str:
    """The characters of a page: by its byte order mark, as UTF-8 if it is, as it declares itself, else as the bytes look."""
    import webencodings

    text = None
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        if data.count(b"\0") > len(data) // 1000:
            raise BadInput("page", "is not a text or HTML file.")
        text = _decode_utf8(data)
    if text is None:
        declared = re.search(rb"<meta[^>]{0,1000}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", data[:8192], re.I)
        encoding = webencodings.lookup(declared[1].decode("ascii", "ignore")) if declared else None
        text, _ = webencodings.decode(data, encoding or _guess_encoding(data), "replace")
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).encode("utf-8", "ignore").decode("utf-8")


def _decode_utf8(data: bytes) -> str | None:
    """None when it is not UTF-8, and when it is pure ASCII that declares itself (ISO-2022-JP is written in ASCII bytes)."""
    if data.isascii() and b"\x1b" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The last character may have been cut in half.
        return data[: error.start].decode("utf-8-sig") if error.start >= len(data) - 3 else None


def _guess_encoding(data: bytes) -> str:
    import webencodings
    from charset_normalizer import from_bytes

    best = from_bytes(data[:200_000]).best()
    return best.encoding if best is not None and webencodings.lookup(best.encoding) is not None else "windows-1252"


def _read_plain(text: str) -> dict[str, Any]:
    text = _collapse_whitespace(text)
    first, _, rest = text.partition("\n")
    title = first if rest and len(first) <= 120 else ""
    return {
        "title": title,
        "description": "",
        "headings": [],
        "text": _truncate(text, MAX_TEXT_LENGTH),
        "pictures": [],
        "captions": [],
    }


def _read_html(markup: str, url: str) -> dict[str, Any]:
    from lxml import etree

    markup = _OVERSIZED_TAG.sub(" ", _DATA_URL.sub("data:", markup))
    target = _ParserTarget()
    parser = etree.HTMLParser(encoding="utf-8", target=target)
    try:
        parser.feed(markup.encode("utf-8"))
        parser.close()
    except (etree.ParseError, AssertionError):
        pass  # What was seen until then counts.
    main_text = _extract_main_text(markup) if target.tags <= MAX_TAGS else ""
    visible_text = _collapse_whitespace("".join(target.text))
    text = _truncate(
        main_text if len(main_text) >= min(MIN_ARTICLE_LENGTH, len(visible_text)) else visible_text, MAX_TEXT_LENGTH
    )
    headings = _select_headings(target.headings, text)
    title = next(
        filter(
            None, (_single_line(title) for title in (*target.meta_values(_TITLE_PROPERTIES), target.title, *headings))
        ),
        "",
    )
    images = _resolve_image_urls((*target.meta_images(), *target.images), url, target.base_url)
    return {
        "title": title,
        "description": next(
            filter(
                None,
                (_single_line(text, MAX_DESCRIPTION_LENGTH) for text in target.meta_values(_DESCRIPTION_PROPERTIES)),
            ),
            "",
        ),
        "headings": headings,
        "text": text,
        "pictures": list(images),
        "captions": list(images.values()),
    }


def _select_headings(found: Iterable[str], text: str) -> list[str]:
    """Those that stand in the text, for others belong to what lies around it; all if none does."""
    every = list(dict.fromkeys(filter(None, (_single_line(heading) for heading in found))))
    lines = set(text.split("\n"))
    return ([heading for heading in every if heading in lines] or every)[:MAX_HEADINGS]


class _ParserTarget:
    """What passes by while a page is parsed. Holds no tree, so depth and number of tags cost nothing."""

    def __init__(self) -> None:
        self.tags = 0
        self.base_url = ""
        self.title = ""
        self.meta: dict[str, str] = {}
        self.headings: list[str] = []
        self.images: list[tuple[str, str]] = []
        self.text: list[str] = []
        self._skip_depth = self._boilerplate_depth = 0
        self._heading_parts: list[str] | None = None
        self._in_title = self._title_done = False

    def meta_values(self, names: Iterable[str]) -> list[str]:
        return [self.meta[name] for name in names if name in self.meta]

    def meta_images(self) -> list[tuple[str, str]]:
        """What the page offers as its picture, with what it says that it shows."""
        alt_text = next(iter(self.meta_values(_IMAGE_ALT_PROPERTIES)), "")
        return [(address, alt_text) for address in self.meta_values(_IMAGE_PROPERTIES)]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.tags += 1
        if tag in _SKIPPED_TAGS:
            self._skip_depth += 1
        if self._skip_depth:
            return
        if tag in _BLOCK_TAGS:
            self.text.append("\n")
        if tag in _BOILERPLATE_TAGS:
            self._boilerplate_depth += 1
        elif tag in ("h1", "h2", "h3") and not self._boilerplate_depth:
            self._heading_parts = []
        elif tag == "title":
            self._in_title = True
        elif tag == "base":
            self.base_url = self.base_url or attributes.get("href", "")
        elif tag == "meta":
            name = (attributes.get("property") or attributes.get("name") or "").strip().lower()
            if name and attributes.get("content"):
                self.meta.setdefault(name, attributes["content"])
        elif tag == "img" and not self._boilerplate_depth and len(self.images) < 10 * MAX_IMAGES:
            self.images.extend(_image_candidates(attributes))

    def end(self, tag: str) -> None:
        if tag in _SKIPPED_TAGS:
            self._skip_depth = max(0, self._skip_depth - 1)
        if self._skip_depth:
            return
        if tag in _BLOCK_TAGS:
            self.text.append("\n")
        if tag in _BOILERPLATE_TAGS:
            self._boilerplate_depth = max(0, self._boilerplate_depth - 1)
        elif tag == "title":
            self._in_title, self._title_done = False, bool(self.title)
        elif self._heading_parts is not None and tag in ("h1", "h2", "h3"):
            self.headings.append("".join(self._heading_parts))
            self._heading_parts = None

    def data(self, text: str) -> None:
        if self._skip_depth:
            return
        if self._in_title:
            self.title += "" if self._title_done else text[:MAX_LINE_LENGTH]
            return
        self.text.append(text)
        if self._heading_parts is not None and len(self._heading_parts) < MAX_LINE_LENGTH:
            self._heading_parts.append(text)

    def comment(self, text: str) -> None:
        """Comments say nothing to a reader."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Neither do instructions to a processor."""

    def close(self) -> None:
        """All is in the attributes."""


def _image_candidates(attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """The address of a picture that is not known to be small or an ornament, and what it shows."""
    sides = [
        int(side) for key in ("width", "height") if (side := attributes.get(key, "").removesuffix("px")).isdecimal()
    ]
    if any(side < MIN_IMAGE_SIZE for side in sides):
        return []
    addresses = [attributes.get(key, "").strip() for key in ("data-src", "data-original", "src")]
    wide = [candidate.split() for candidate in attributes.get("srcset", "").split(", ")[:20]]
    widths = [(int(parts[1][:-1]), parts[0]) for parts in wide if len(parts) == 2 and parts[1][:-1].isdecimal()]
    best = [max(widths)[1]] if widths else []
    found = next((address for address in (*best, *addresses) if address and not address.startswith("data:")), "")
    alt_text = attributes.get("alt", "") or attributes.get("title", "")
    return [] if not found or _DECORATIVE_IMAGE.search(found) else [(found, alt_text[:MAX_DESCRIPTION_LENGTH])]


def _resolve_image_urls(images: Iterable[tuple[str, str]], url: str, base: str) -> dict[str, str]:
    """Absolute address → what it shows, for so many as are listed."""
    found: dict[str, str] = {}
    for address, alt_text in images:
        try:
            absolute = urljoin(urljoin(url, base.strip()), address.strip())
        except ValueError:
            continue
        if absolute.startswith(("http://", "https://")) and len(absolute) <= 2000:
            found[absolute] = found.get(absolute) or _single_line(alt_text, MAX_CAPTION_LENGTH)
    return dict(list(found.items())[:MAX_IMAGES])


def _extract_main_text(markup: str) -> str:
    """The text of the page without its navigation and advertisements; empty when none can be told apart."""
    import trafilatura
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        tree = html.document_fromstring(markup.encode("utf-8"), parser=parser)
        etree.strip_elements(tree, *_SKIPPED_TAGS, with_tail=False)
        text = trafilatura.extract(tree, include_comments=False, include_tables=True, favor_recall=True)
    except (etree.LxmlError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return ""  # Broken markup that the extraction stumbles over still has visible text.
    return _collapse_whitespace(_LIST_OR_TABLE_MARKUP.sub(_markup_to_text, text or ""))


def _markup_to_text(marked: re.Match[str]) -> str:
    """A list entry without its dash, a row of a table as words with commas between them, nothing for the rule beneath its head."""
    row = marked[1]
    return ", ".join(cell.strip() for cell in row.split("|") if cell.strip(" -")) if row else ""


def _collapse_whitespace(text: str) -> str:
    """One paragraph per line, one space between words."""
    text = _CONTROL.sub("", text).encode("utf-8", "ignore").decode("utf-8")
    return _BREAKS.sub("\n", _SPACES.sub(" ", text)).strip()


def _single_line(text: str, limit: int = MAX_LINE_LENGTH) -> str:
    return _truncate(_collapse_whitespace(text).replace("\n", " "), limit)


def _truncate(text: str, limit: int) -> str:
    """Cut between words where there are any."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    last = max(head.rfind(" "), head.rfind("\n"))
    return (head[:last] if last > limit - 200 else head).rstrip()
