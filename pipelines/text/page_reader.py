"""Page reader: title, description, headings, main text, and image URLs with captions of a saved web page.

The page is untrusted input and only parsed. The reader runs no script, opens no connection and resolves no entity;
limits on bytes, tags and attributes bound its work.
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
"""Maximum number of bytes of a page; the reader truncates longer pages."""
MAX_TEXT_LENGTH, MAX_LINE_LENGTH, MAX_DESCRIPTION_LENGTH, MAX_CAPTION_LENGTH = 50_000, 300, 1000, 120
MAX_HEADINGS, MAX_IMAGES = 100, 20
# With more tags, main-text extraction takes seconds; the reader uses all visible text instead.
MAX_TAGS = 30_000
# A page with a shorter main text is a list or a form: the reader uses all visible text instead.
MIN_ARTICLE_LENGTH = 200
MIN_IMAGE_SIZE = 200

_HTML_MARKUP = re.compile(
    r"<(?:!doctype html|html|head|body)\b|</(?:p|div|span|a|h[1-6]|title|article|li|td|b|i)>", re.I
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r" ?\n[ \n]*")
# The parser compares each attribute with all previous ones, so one endless tag would take minutes; images in data URLs
# are the benign case of a long tag.
_DATA_URL = re.compile(r"data:[^\s\"'<>]{64,}", re.I)
_OVERSIZED_TAG = re.compile(r"<[a-zA-Z!?/][^<>]{4096,}>?")

_SKIPPED_TAGS = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select", "textarea"}
)
_BOILERPLATE_TAGS = frozenset({"nav", "footer", "aside", "button", "form"})
_BLOCK_TAGS = frozenset((
    "address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl", "dt", "figcaption",
    "figure",
    "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section",
    "table",
    "td", "th", "title", "tr", "ul",
))  # fmt: skip
_TITLE_PROPERTIES = ("og:title", "twitter:title")
_DESCRIPTION_PROPERTIES = ("og:description", "description", "twitter:description")
_IMAGE_ALT_PROPERTIES = ("og:image:alt", "twitter:image:alt")
_IMAGE_PROPERTIES = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
# Markup that trafilatura emits for lists and tables: "- entry", "| cell | cell |", "|---|---|".
_LIST_OR_TABLE_MARKUP = re.compile(r"^[ \t]*(?:[-*] +|\|(.*)\|[ \t]*$)", re.M)
_DECORATIVE_IMAGE = re.compile(r"\.(?:svg|gif|ico)(?:$|\?)|icon|logo|sprite|avatar|badge|pixel|spacer", re.I)


class PageReader:
    """Family for `read`: `page` → `page.json`.

    Keys: `url`, `title`, `description`, `headings`, `text` (one paragraph per line, at most 50,000 characters),
    `pictures` (absolute URLs, best first, not downloaded), `captions` (alternative text of each picture, or "").
    """

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
    """Parse the page in `path`. Raises BadInput for a file that is not text, and for a page without text and title."""
    with path.open("rb") as file:
        data = file.read(MAX_PAGE_BYTES + 1)
    if len(data) > MAX_PAGE_BYTES:
        report.warn("The page is too long. The reader used only its beginning.")
    text = decode_page(data[:MAX_PAGE_BYTES])
    page = _read_html(text, url) if _HTML_MARKUP.search(text) else _read_plain(text)
    if not page["text"]:
        page["text"] = page["description"]
        report.warn("The page has no text (it may need scripts). The reader used only its title and description.")
    if not (page["text"] or page["title"]):
        raise BadInput(
            "page", "has no readable text.", "The reader does not support pages that need scripts or a login."
        )
    report.record(characters=len(page["text"]))
    return {"url": url, **page}


def decode_page(data: bytes) -> str:
    """Decode the bytes of a page.

    Order of encodings: byte order mark, UTF-8 if valid, the declared encoding, detection.
    """
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
    """Return None for data that is not UTF-8, and for ASCII with escapes (ISO-2022-JP is written in ASCII bytes)."""
    if data.isascii() and b"\x1b" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The size limit may have cut the last character in half.
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
        pass  # Keep the events up to the error.
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
    """Return the headings that occur in the text, because others belong to navigation; all of them if none occurs."""
    every = list(dict.fromkeys(filter(None, (_single_line(heading) for heading in found))))
    lines = set(text.split("\n"))
    return ([heading for heading in every if heading in lines] or every)[:MAX_HEADINGS]


class _ParserTarget:
    """Target of the streaming parser. It builds no tree, so the depth and number of tags cost no memory."""

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
        """Return the page's preview images with their alternative text."""
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
        """Ignore comments."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Ignore processing instructions."""

    def close(self) -> None:
        """Do nothing: the results are in the attributes."""


def _image_candidates(attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the URL and alternative text of an image, unless it is small or decorative."""
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
    """Map absolute URLs to alternative texts, for at most `MAX_IMAGES` images."""
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
    """Return the main text without navigation and advertisements; "" if the extraction finds none."""
    import trafilatura
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        tree = html.document_fromstring(markup.encode("utf-8"), parser=parser)
        etree.strip_elements(tree, *_SKIPPED_TAGS, with_tail=False)
        text = trafilatura.extract(tree, include_comments=False, include_tables=True, favor_recall=True)
    except (etree.LxmlError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return ""  # Broken markup that makes the extraction fail still has visible text.
    return _collapse_whitespace(_LIST_OR_TABLE_MARKUP.sub(_markup_to_text, text or ""))


def _markup_to_text(marked: re.Match[str]) -> str:
    """Return a list entry without its dash, a table row as comma-separated cells, "" for the rule of a table head."""
    row = marked[1]
    return ", ".join(cell.strip() for cell in row.split("|") if cell.strip(" -")) if row else ""


def _collapse_whitespace(text: str) -> str:
    """Return `text` with one paragraph per line and one space between words."""
    text = _CONTROL.sub("", text).encode("utf-8", "ignore").decode("utf-8")
    return _BREAKS.sub("\n", _SPACES.sub(" ", text)).strip()


def _single_line(text: str, limit: int = MAX_LINE_LENGTH) -> str:
    return _truncate(_collapse_whitespace(text).replace("\n", " "), limit)


def _truncate(text: str, limit: int) -> str:
    """Truncate `text` to `limit` characters, between words if possible."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    last = max(head.rfind(" "), head.rfind("\n"))
    return (head[:last] if last > limit - 200 else head).rstrip()
