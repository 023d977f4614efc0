"""Page reader: results of ordinary pages in any script and encoding, and resistance to hostile pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.base import BadInput, Device, Kind, ModelSpec
from pipelines.step_params import ReadParams
from pipelines.text.page_reader import PageReader

SPEC = ModelSpec(name="reader", family="pipelines.text.page_reader:PageReader", kinds=(Kind.READ,))


class Report:
    """Report that keeps its warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def progress(self, fraction: float, message: str = "") -> None: ...

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def record(self, **facts: Any) -> None: ...


def read(folder: Path, page: bytes | str, url: str = "", report: Report | None = None) -> dict[str, Any]:
    source, out = folder / "input", folder / "out"
    source.write_bytes(page.encode() if isinstance(page, str) else page)
    out.mkdir(exist_ok=True)
    reader = PageReader.load(SPEC, Device())
    (made,) = reader.run(Kind.READ, ReadParams(url=url), {"page": [source]}, out, report or Report(), seed=0)
    assert made.name == "page.json"
    return json.loads(made.read_text("utf-8"))


STORY = [
    "In the village under the mountain there lived a clockmaker who had never once been late for anything.",
    "Every morning he wound the tower clock, and every morning a jackdaw named Corvin waited on the sill to watch.",
    "One winter the clock stopped, and nobody could find the reason, although all the wheels were clean and bright.",
    "It was Corvin who had taken the smallest wheel, because he believed that it was the sun and would keep him warm.",
]
ARTICLE = f"""<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>The Clockmaker — Mountain Tales</title>
<meta property="og:title" content="The Clockmaker"><meta name="description" content="A tale of  a clock &amp; a jackdaw.">
<meta property="og:image" content="/pictures/tower.jpg"><style>p {{color: red}}</style><script>var secret = "run";</script></head>
<body><nav><h2>Menu</h2><a href=/>Home</a><a href=/tales>All tales</a><img src=/nav.jpg></nav>
<article><h1>The <em>Clockmaker</em></h1><p>{STORY[0]}</p><p>{STORY[1]}</p><h2>The stolen wheel</h2>
<img src="wheel.jpg" width=800 height=600><img src="dot.jpg" width=1 height=1><img src="data:image/png;base64,{"A" * 9000}">
<p>{STORY[2]}</p><p>{STORY[3]}</p></article>
<footer><h3>Legal</h3><p>All rights reserved. Cookies. Imprint.</p></footer></body></html>"""


def test_an_article_gives_title_description_headings_and_text(tmp_path: Path) -> None:
    assert read(tmp_path, ARTICLE, "https://tales.example/clock/") == {
        "url": "https://tales.example/clock/",
        "title": "The Clockmaker",
        "description": "A tale of a clock & a jackdaw.",
        "headings": ["The Clockmaker", "The stolen wheel"],
        "text": "\n".join(["The Clockmaker", STORY[0], STORY[1], "The stolen wheel", STORY[2], STORY[3]]),
        "pictures": ["https://tales.example/pictures/tower.jpg", "https://tales.example/clock/wheel.jpg"],
        "captions": ["", ""],
    }


def test_lists_and_tables_become_plain_text(tmp_path: Path) -> None:
    page = read(
        tmp_path,
        f"<html><body><div role=dialog><h2>Shortcuts</h2></div><article><h1>Title</h1><p>{STORY[0]}</p><p>{STORY[1]}</p>"
        f"<ul><li>{STORY[2]}</li><li>a - b</li></ul><table><tr><th>Name</th><th>Age</th></tr><tr><td>Corvin</td><td>3</td></tr>"
        "</table></article></body></html>",
    )
    assert page["text"].splitlines() == ["Title", STORY[0], STORY[1], STORY[2], "a - b", "Name, Age", "Corvin, 3"]
    assert page["headings"] == ["Title"]


def test_a_plain_text_file_gives_title_and_text(tmp_path: Path) -> None:
    page = read(tmp_path, "\ufeffThe Clockmaker\r\n\r\n" + "\r\n\r\n".join(STORY) + "\r\n5 < 6 & 7 > 3")
    assert page["title"] == "The Clockmaker"
    assert page["text"].splitlines() == ["The Clockmaker", *STORY, "5 < 6 & 7 > 3"]
    assert page["headings"] == page["pictures"] == []


def test_a_single_line_of_text_is_not_a_title(tmp_path: Path) -> None:
    assert (read(tmp_path, "once upon a time")["title"], read(tmp_path, "once upon a time")["text"]) == (
        "",
        "once upon a time",
    )


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>Plain</title>", "Plain"),
        ("<title> A \n  B </title>", "A B"),
        ("<title></title><meta name=twitter:title content=Bird>", "Bird"),
        ("<meta property='OG:Title' content='Graph'><title>Plain</title>", "Graph"),
        ("", "Heading"),
        ("<svg><title>icon</title></svg>", "Heading"),
        (f"<title>{'word ' * 200}</title>", "word " * 59 + "word"),
    ],
)
def test_the_sources_of_the_title_have_an_order(head: str, title: str, tmp_path: Path) -> None:
    assert (
        read(tmp_path, f"<html><head>{head}</head><body><h1>Heading</h1><p>Text.</p></body></html>")["title"] == title
    )


def test_a_page_without_text_gives_its_description_with_a_warning(tmp_path: Path) -> None:
    report = Report()
    page = read(
        tmp_path,
        "<html><head><title>App</title><meta name=description content='Does things.'></head>"
        "<body><noscript>Please enable JavaScript</noscript><div id=root></div><script>boot()</script></body></html>",
        report=report,
    )
    assert (page["title"], page["text"]) == ("App", "Does things.")
    assert len(report.warnings) == 1


# --- languages and encodings

WORDS = {
    "Arabic": "عاش في القرية صانع ساعات لم يتأخر يوما واحدا عن عمله، وكان غراب صغير يراقبه كل صباح من النافذة.",
    "Chinese": "山脚下的村庄里住着一位钟表匠，他从来没有迟到过。每天早晨，一只寒鸦都在窗台上看着他给钟楼的大钟上弦。",
    "French": "Au village, près de la forêt, vivait un horloger qui n’avait jamais été en retard ; un choucas l’observait.",
    "German": "Im Dorf unter dem Berg lebte ein Uhrmacher, der nie zu spät kam; täglich schaute ihm eine Dohle über die Schulter.",
    "Hindi": "पहाड़ के नीचे के गाँव में एक घड़ीसाज़ रहता था जो कभी देर से नहीं आया। हर सुबह एक कौआ उसे देखता था।",
    "Japanese": "山のふもとの村に、一度も遅れたことのない時計職人が住んでいました。毎朝、カラスが窓辺で彼を見ていました。",
    "Korean": "산 아래 마을에 한 번도 늦은 적이 없는 시계공이 살았습니다. 매일 아침 까마귀가 창가에서 그를 지켜보았습니다.",
    "Spanish": "En el pueblo vivía un relojero que nunca llegó tarde; cada mañana, una corneja lo miraba desde la ventana.",
    "Turkish": "Dağın altındaki köyde hiç geç kalmamış bir saatçi yaşardı; her sabah bir karga onu pencereden izlerdi.",
}


def in_html(words: str, charset: str = "") -> str:
    declared = f"<meta charset={charset}>" if charset else ""
    return f"<html><head>{declared}<title>{words[:9]}</title></head><body><article><p>{words}</p><p>{words}!</p></article></body></html>"


@pytest.mark.parametrize(
    ("language", "encoding", "declared"),
    [
        *((language, "utf-8", "") for language in WORDS),
        *((language, "utf-8-sig", "iso-8859-1") for language in WORDS),
        *((language, "utf-16", "") for language in WORDS),
        ("Arabic", "cp1256", "windows-1256"),
        ("Chinese", "gb18030", "gb2312"),
        ("Chinese", "big5", ""),
        ("French", "cp1252", "iso-8859-1"),
        ("German", "cp1252", ""),
        ("German", "utf-8", "iso-8859-1"),
        ("Japanese", "cp932", "shift_jis"),
        ("Japanese", "euc-jp", "EUC-JP"),
        ("Japanese", "iso2022_jp", "iso-2022-jp"),
        ("Korean", "cp949", "euc-kr"),
        ("Spanish", "latin-1", "latin1"),
        ("Turkish", "cp1254", "iso-8859-9"),
        ("German", "cp1252", "no-such-thing"),
    ],
)
def test_every_script_is_decoded_completely(language: str, encoding: str, declared: str, tmp_path: Path) -> None:
    if encoding == "big5":
        words = "山腳下的村莊裡住著一位鐘錶匠，他從來沒有遲到過。每天早晨，一隻寒鴉都在窗臺上看著他給鐘樓的大鐘上弦。"
    else:
        words = WORDS[language]
    page = read(tmp_path, in_html(words, declared).encode(encoding))
    assert page["text"].splitlines() == [words, words + "!"]
    assert page["title"] == words[:9].strip()


@pytest.mark.parametrize("declared", ["utf-7", "unicode_escape", "zip", "rot13", "idna", "../../x", "x" * 5000])
def test_a_declared_encoding_is_only_looked_up_by_name(declared: str, tmp_path: Path) -> None:
    assert "+ADw-script" in read(tmp_path, in_html("caf\xe9 +ADw-script+AD4-", declared).encode("latin-1"))["text"]


# --- images


def pictures(folder: Path, body: str, url: str = "https://a.example/dir/page.html") -> list[str]:
    return read(folder, f"<html><body><h1>Title</h1>{body}</body></html>", url)["pictures"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<img src=p.jpg>", ["https://a.example/dir/p.jpg"]),
        ("<img src=//b.example/p.jpg>", ["https://b.example/p.jpg"]),
        ("<img src=../p.jpg width=640px height=480>", ["https://a.example/p.jpg"]),
        ("<base href=https://c.example/x/><img src=p.jpg>", ["https://c.example/x/p.jpg"]),
        ("<img src=p.jpg><img src=p.jpg>", ["https://a.example/dir/p.jpg"]),
        ("<img src='s.jpg' srcset='s.jpg 320w, l.jpg 1600w, m.jpg 800w'>", ["https://a.example/dir/l.jpg"]),
        ("<img src='data:image/gif;base64,R0lGOD' data-src=lazy.jpg>", ["https://a.example/dir/lazy.jpg"]),
        ("<img src=p.jpg width=90 height=90>", []),
        ("<img src=logo.png><img src=x.svg><img src=dot.gif>", []),
        ("<nav><img src=p.jpg></nav><footer><img src=q.jpg></footer>", []),
        ("<img src='javascript:alert(1)'><img src='file:///etc/passwd'><img src='ftp://a/b.jpg'>", []),
        ("<img src='http://[bad/p.jpg'><img src=''><img>", []),
        ("<img src='" + "a" * 3000 + "'>", []),
    ],
)
def test_decorative_and_small_images_are_left_out(body: str, found: list[str], tmp_path: Path) -> None:
    assert pictures(tmp_path, body) == found


def test_captions_are_the_alternative_texts(tmp_path: Path) -> None:
    head = "<meta property=og:image content=/main.jpg><meta property=og:image:alt content='The whole family'>"
    body = "<img src=a.jpg alt=' Three\n blue  hives '><img src=b.jpg title=Oda><img src=c.jpg><img src=/main.jpg alt=Later>"
    body += f"<img src=d.jpg alt='{'long ' * 100}'>"
    page = read(tmp_path, f"<html><head>{head}</head><body><h1>T</h1>{body}</body></html>", "https://a.example/")
    names = [url.rpartition("/")[2] for url in page["pictures"]]
    assert names == ["main.jpg", "a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert page["captions"][:4] == ["The whole family", "Three blue hives", "Oda", ""]
    assert len(page["captions"][4]) <= 120


def test_at_most_twenty_images_are_listed(tmp_path: Path) -> None:
    assert len(pictures(tmp_path, "".join(f"<img src={n}.jpg>" for n in range(500)))) == 20


def test_without_a_page_url_only_absolute_image_urls_are_listed(tmp_path: Path) -> None:
    assert pictures(tmp_path, "<img src=p.jpg><img src=http://b.example/q.jpg>", "") == ["http://b.example/q.jpg"]


# --- broken and hostile pages


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b" \n\t ",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"<html></html>",
        b"<html><body><script>alert(1)</script><style>p{}</style></body></html>",
        b"<html><body><!-- only a comment --></body></html>",
        b"<!DOCTYPE html>",
        b"<html><body><img src=x.jpg></body></html>",
        b"\x00\x01\x02\x03" * 500,
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
    ],
    ids=range(11),
)
def test_a_file_without_text_is_bad_input(page: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        read(tmp_path, page)
    assert caught.value.field == "page"


WORD = "hello "
HOSTILE = {
    "ten megabytes": "<html><body><article>" + f"<p>{'lorem ipsum dolor ' * 20}</p>" * 28_000,
    "deep": "<html><body>" + "<div>" * 100_000 + WORD * 40 + "</div>" * 100_000,
    "deep inline": "<html><body>" + "<b><i><u>" * 33_000 + WORD,
    "deep tables": "<html><body>" + "<table><tr><td>hello" * 100_000,
    "deep lists": "<html><body>" + "<ul><li>hello" * 100_000,
    "unbalanced": "<html><body>" + "</div></b></p>" * 100_000 + WORD,
    "misnested": "<html><body>" + "<b><p></b><i></p></i>hello" * 30_000,
    "many tags": "<html><body>" + "hello<br>" * 400_000,
    "many links": "<html><body>" + "<a href=x>hello</a> " * 190_000,
    "many attributes": "<html><body><p " + " ".join(f"a{n}=1" for n in range(300_000)) + ">hello</p>",
    "attributes in many tags": "<html><body>" + ("<p " + " ".join(f"a{n}" for n in range(800)) + ">hello</p>") * 900,
    "a long attribute": "<html><body><p title='" + "x" * 3_000_000 + "'>hello</p>",
    "one word": "<html><body><p>hello" + "o" * 3_900_000,
    "spaces": "<html><body><p>hello" + " \n\t" * 1_300_000 + "x",
    "no-break spaces": "<html><body><p>hello" + "\u00a0\n" * 900_000 + "x",
    "open tags": "<html><body>hello" + "<p " * 1_300_000,
    "open comments": "<html><body>hello" + "<!--" * 990_000,
    "open scripts": "<html><body>hello" + "<script>" * 490_000,
    "less-than signs": "<html><body>hello" + "<" * 3_900_000,
    "entities": "<html><body>hello" + "&amp;&#x41;&nosuch;&#99999999;&#xd800;&#0;" * 80_000,
    "processing": "<?xml version='1.0'?>" + "<?php echo 1 ?>" * 200_000 + "<html><body>hello",
    "many metas": "<html><head>" + "<meta name=a content=b>" * 170_000 + "</head><body>hello",
    "many titles": "<html><head>" + "<title>t</title>" * 240_000 + "</head><body>hello",
    "many charsets": "<meta " * 1_000 + "<meta charset=utf-8>" + "<html><body>hello\xe9",
    "nested frames": "<html><body>hello" + "<iframe srcdoc='<p>x'>" * 100_000,
    "controls": "<html><body>hello" + "\x01\x0b\x7f\u202e\ufeff" * 100_000 + "</body></html>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_are_parsed_or_rejected_within_the_time_limit(name: str, tmp_path: Path) -> None:
    started = time.process_time()
    page = read(tmp_path, HOSTILE[name])
    assert time.process_time() - started < 8
    assert len(page["text"]) <= 50_000
    assert page["text"].startswith("lorem" if name == "ten megabytes" else "hello")


def test_entities_are_neither_resolved_nor_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the inside of a file")
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    page = read(
        tmp_path,
        f'<!DOCTYPE html [<!ENTITY l0 "boom">{levels}<!ENTITY f SYSTEM "{secret.as_uri()}">'
        f"<!ENTITY % p SYSTEM '{secret.as_uri()}'> %p;]><html><body><p>&l11; &f; hello</p></body></html>",
    )
    assert "hello" in page["text"]
    assert len(page["text"]) < 2_000
    assert "inside of a file" not in json.dumps(page)


def test_scripts_are_left_out(tmp_path: Path) -> None:
    page = read(
        tmp_path,
        "<html><body><p>hello</p><script>one</script><style>two</style><template>three</template><svg><text>four</text></svg>"
        "<iframe>five</iframe><textarea>six</textarea><p onclick='seven' style='eight'>world</p><!-- nine --></body></html>",
    )
    assert page["text"].split() == ["hello", "world"]


def test_truncation_falls_between_words(tmp_path: Path) -> None:
    page = read(tmp_path, "<html><body><p>" + "wonderful " * 20_000 + "</p></body></html>")
    assert 49_900 < len(page["text"]) <= 50_000
    assert page["text"].endswith("wonderful")


def test_a_page_truncated_within_a_character_is_still_utf_8(tmp_path: Path) -> None:
    report = Report()
    page = read(tmp_path, ("x" + "é" * 2_500_000).encode(), report=report)
    assert page["text"] == "x" + "é" * 49_999
    assert len(report.warnings) == 1


SNIPPET = """
import sys, json
from pathlib import Path
from pipelines.text.page_reader import read_page
class Report:
    def warn(self, message): pass
    def record(self, **facts): pass
sys.stdout.write(json.dumps(read_page(Path(sys.argv[1]), "https://a.example/", Report())))
"""


def test_one_page_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text(ARTICLE)
    made = {
        subprocess.run(
            [sys.executable, "-c", SNIPPET, str(page)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


def test_the_reader_opens_no_connection_and_no_other_file(tmp_path: Path) -> None:
    """In a fresh process with an audit hook, after one harmless page has triggered all lazy imports."""
    page, warm = tmp_path / "page", tmp_path / "warm"
    warm.write_text(ARTICLE)
    page.write_text(
        ARTICLE.replace("<head>", "<head><base href=http://127.0.0.1:9/><link rel=stylesheet href=a.css>").replace(
            "<!DOCTYPE html>", '<!DOCTYPE html SYSTEM "http://127.0.0.1:9/x.dtd">'
        )
        + "<iframe src=http://127.0.0.1:9/></iframe><img src=http://127.0.0.1:9/i.png>"
    )
    watched = SNIPPET.replace(
        "sys.stdout.write",
        """
read_page(Path(sys.argv[2]), "", Report())
seen = []
def watch(event, arguments):
    if event in ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec"):
        seen.append((event, str(arguments[0])))
sys.addaudithook(watch)
read_page(Path(sys.argv[1]), "https://a.example/", Report())
sys.stdout.write(json.dumps(seen))
0 and sys.stdout.write""",
    )
    done = subprocess.run(
        [sys.executable, "-c", watched, str(page), str(warm)], capture_output=True, check=True, text=True
    )
    assert json.loads(done.stdout) == [["open", str(page)]]
