"""The door: 127.0.0.2 plays the public web (the operator admits it by address), everything else on the machine is the
inside.

An audit hook sees every connection that the process attempts, to wherever: none may go to a denied address.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import trustme

from engine.inputs.fetch import (
    AUDIO_POLICY,
    ERROR_MESSAGES,
    IMAGE_POLICY,
    PAGE_POLICY,
    VIDEO_POLICY,
    FetchError,
    FetchPolicy,
    UrlFetcher,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs 127.0.0.2")

PUBLIC, INSIDE = "127.0.0.2", "127.0.0.1"
SMALL = FetchPolicy("page", 100_000, 5.0, ("text/html",))

attempts: list[object] = []
watching = threading.Event()


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and watching.is_set():
        attempts.append(arguments[1])


sys.addaudithook(watch)


@pytest.fixture(autouse=True)
def connections() -> Iterator[list[object]]:
    """Every address to which this process tried to connect during the test."""
    attempts.clear()
    watching.set()
    yield attempts
    watching.clear()


class Server:
    """Answers each connection with what `answer(request)` yields, piece by piece."""

    def __init__(self, answer: Callable[[bytes], Iterator[bytes]], host: str = PUBLIC) -> None:
        self.answer, self.requests = answer, list[bytes]()
        if host in ("", "::1") and socket.has_dualstack_ipv6():
            self.listener = socket.create_server((host, 0), family=socket.AF_INET6, dualstack_ipv6=host == "")
        else:
            self.listener = socket.create_server((host, 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        with connection:
            request = b""
            try:
                while b"\r\n\r\n" not in request:
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    request += piece
                head, _, body = request.partition(b"\r\n\r\n")
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        while len(body) < int(line.split(b":")[1]):
                            body += connection.recv(65536)
                self.requests.append(head + b"\r\n\r\n" + body)
                for part in self.answer(request):
                    connection.sendall(part)
            except OSError:
                return

    def url(self, path: str = "/", host: str = PUBLIC) -> str:
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        self.listener.close()


@contextmanager
def serving(answer: Callable[[bytes], Iterator[bytes]] | bytes, host: str = PUBLIC) -> Iterator[Server]:
    def constant(_: bytes) -> Iterator[bytes]:
        yield answer  # type: ignore[misc]

    server = Server(constant if isinstance(answer, bytes) else answer, host)
    try:
        yield server
    finally:
        server.close()


def ok(body: bytes = b"<p>hello", content_type: str = "text/html", *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join((*lines, "", "")).encode() + body


def redirect(location: str | bytes, status: int = 302) -> bytes:
    where = location if isinstance(location, bytes) else location.encode()
    return b"HTTP/1.1 %d Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, where)


NAMES = {
    "public.test": [PUBLIC],
    "xn--bcher-kva.test": [PUBLIC],
    "inside.test": [INSIDE],
    "localhost": [INSIDE, "::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "both.test": [PUBLIC, INSIDE],
    "metadata.google.internal": ["169.254.169.254"],
    "ten.test": ["10.0.0.5"],
    "zero.test": ["0.0.0.0"],
    "six.test": ["::1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "wire.test": ["168.63.129.16"],
    "hooks.corp.test": [INSIDE],
    "meta.corp.test": ["169.254.169.254"],
}


def resolver(host: str, port: int, *rest: int) -> list[tuple[object, ...]]:
    """Names from the table; numbers as the system reads them, which knows many spellings."""
    name = host.rstrip(".").lower()
    if name in NAMES:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in NAMES[name]
        ]
    return list(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST))


@pytest.fixture(scope="module")
def door() -> UrlFetcher:
    return UrlFetcher(allowed_hosts=[PUBLIC], resolver=resolver)


@pytest.fixture(scope="module")
def trap() -> Iterator[Server]:
    """The inside: listens on every address of the machine, IPv6 included where there is IPv6."""
    with serving(ok(b"secret"), host="") as server:
        yield server


KINDS: dict[str, Callable[[UrlFetcher, str, Path], object]] = {
    "picture": lambda door, url, to: door.fetch(url, to, IMAGE_POLICY),
    "page": lambda door, url, to: door.fetch(url, to, PAGE_POLICY),
    "clip": lambda door, url, to: door.fetch(url, to, VIDEO_POLICY),
    "webhook": lambda door, url, to: door.post_json(url, b"{}", {}),
}

# {p} is the port of the trap: would the address be reached, the trap would notice.
HOSTILE = r"""
http://127.0.0.1:{p}/
http://127.0.0.1:{p}
HTTP://127.0.0.1:{p}/
http://127.0.0.1/
https://127.0.0.1:{p}/
http://127.1:{p}/
http://127.0.1:{p}/
http://127.0.0.01:{p}/
http://127.000.000.001:{p}/
http://127.0.0.1.:{p}/
http://127.0.0.1..:{p}/
http://127.127.127.127:{p}/
http://127.0.0.3:{p}/
http://2130706433:{p}/
http://2130706433.:{p}/
http://0x7f000001:{p}/
http://0X7F000001:{p}/
http://0x7f.0.0.1:{p}/
http://0x7f.1:{p}/
http://0x7f.0x0.0x0.0x1:{p}/
http://0177.0.0.1:{p}/
http://017700000001:{p}/
http://0177.0.0.01:{p}/
http://00000000177.0.0.1:{p}/
http://6425673729:{p}/
http://383.0.0.1:{p}/
http://0:{p}/
http://0.0.0.0:{p}/
http://0.0:{p}/
http://00:{p}/
http://0x0:{p}/
http://0.1.2.3:{p}/
http://%31%32%37.0.0.1:{p}/
http://127%2e0%2e0%2e1:{p}/
http://127.0.0.1%00.public.test:{p}/
http://127.0.0.1%2f@public.test:{p}/
http://①②⑦.⓪.⓪.①:{p}/
http://１２７.0.0.1:{p}/
http://127。0。0。1:{p}/
http://127．0．0．1:{p}/
http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{p}/
http://loc\u00adalhost:{p}/
http://localhost:{p}/
http://LOCALHOST:{p}/
http://localhost.:{p}/
http://localhost..:{p}/
http://a.localhost:{p}/
https://localhost:{p}/
http://inside.test:{p}/
http://INSIDE.test.:{p}/
https://inside.test:{p}/
http://mapped.test:{p}/
http://both.test:{p}/
http://zero.test:{p}/
http://six.test:{p}/
http://nat64.test:{p}/
http://ten.test/
http://wire.test/
http://metadata.google.internal/computeMetadata/v1/
http://hooks.corp.test:{p}/
http://[::1]:{p}/
http://[::1%25lo]:{p}/
http://[::1%lo]:{p}/
http://[0:0:0:0:0:0:0:1]:{p}/
http://[0000::0001]:{p}/
http://[::]:{p}/
http://[::127.0.0.1]:{p}/
http://[::7f00:1]:{p}/
http://[::ffff:127.0.0.1]:{p}/
http://[::ffff:7f00:1]:{p}/
http://[::FFFF:7F00:0001]:{p}/
http://[::ffff:0:127.0.0.1]:{p}/
http://[0:0:0:0:0:ffff:10.0.0.1]:{p}/
http://[64:ff9b::127.0.0.1]:{p}/
http://[64:ff9b::a9fe:a9fe]/
http://[64:ff9b:1::7f00:1]:{p}/
http://[2002:7f00:1::]:{p}/
http://[2002:a9fe:a9fe::]/
http://[2001:0:7f00:1::]:{p}/
http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/
http://[fe80::1]:{p}/
http://[fe80::1%25eth0]:{p}/
http://[fec0::1]/
http://[fc00::1]/
http://[fd12:3456:789a::1]/
http://[fd00:ec2::254]/
http://[ff02::1]/
http://[100::1]/
http://[2001:db8::1]/
http://[3fff::1]/
http://[5f00::1]/
http://[4000::1]/
http://[1::1]/
http://[::1/
http://::1:{p}/
http://[127.0.0.1]:{p}/
http://[localhost]:{p}/
http://[v1.127.0.0.1]:{p}/
http://10.0.0.1/
http://10.255.255.255/
http://100.64.0.1/
http://100.100.100.200/
http://169.254.169.254/latest/meta-data/
http://169.254.170.2/
http://2852039166/
http://0xa9fea9fe/
http://0251.0376.0251.0376/
http://169.254.43518/
http://[::ffff:169.254.169.254]/
http://168.63.129.16/
http://172.16.0.1/
http://172.31.255.254/
http://192.0.0.1/
http://192.0.0.192/
http://192.0.2.1/
http://192.88.99.1/
http://192.168.1.1/
http://198.18.0.1/
http://198.51.100.1/
http://203.0.113.1/
http://224.0.0.1/
http://239.255.255.250/
http://240.0.0.1/
http://255.255.255.255/
http://public.test@127.0.0.1:{p}/
http://public.test:80@127.0.0.1:{p}/
http://public.test%40127.0.0.1:{p}/
http://user:word@public.test:{p}/
http://127.0.0.1:{p}@public.test:{p}@127.0.0.1:{p}/
http://public.test@@127.0.0.1:{p}/
http://127.0.0.1:{p}\\@public.test/
http://public.test\\@127.0.0.1:{p}/
http://public.test\\.127.0.0.1:{p}/
http:\\\\127.0.0.1:{p}\\
http:/127.0.0.1:{p}/
http:127.0.0.1:{p}/
http:///127.0.0.1:{p}/
http:////127.0.0.1:{p}/
http://127.0.0.1:{p}#@public.test/
http://127.0.0.1:{p}?@public.test/
http://127.0.0.1:{p};@public.test/
http://public.test#@127.0.0.1:{p}/\\
http://127.0.0.1\t:{p}/
http://127.0.0.1\r\n:{p}/
http://127.0.\n0.1:{p}/
http://127.0.0.1:{p}/\r\nHost: public.test
http://127.0.0.1:{p}/ HTTP/1.1\r\nX: y
http://127.0.0.1\x00.public.test:{p}/
http://127.0.0.1 :{p}/
http:// 127.0.0.1:{p}/
 http://127.0.0.1:{p}/
http://127.0.0.1 public.test:{p}/
http://127.0.0.1&@public.test:{p}/
http://127.0.0.1:{p}:80/
http://127.0.0.1:0{p}/
http://127.0.0.1:+{p}/
http://127.0.0.1:99999/
http://127.0.0.1:-1/
http://public.test:0/
http://public.test:6553600/
http://public.test:22/
http://public.test:25/
http://public.test:6667/
https://public.test:465/
http://public.test:٢٢/
http://in_side..test:{p}/
http://.inside.test:{p}/
http://-:{p}/
http://*:{p}/
http://$(id):{p}/
http://xn--:{p}/
http://xn--a:{p}/
http://xn--0000h:{p}/
http://\ud800.test:{p}/
http://unknown.test:{p}/
file:///etc/passwd
file://127.0.0.1/etc/passwd
FILE:///etc/passwd
ftp://127.0.0.1:{p}/
gopher://127.0.0.1:{p}/_GET
dict://127.0.0.1:{p}/
ldap://127.0.0.1:{p}/
ws://127.0.0.1:{p}/
data:text/html,secret
javascript:alert(1)
jar:http://127.0.0.1:{p}/!/
url:http://127.0.0.1:{p}/
unix:///var/run/docker.sock
http+unix://%2Fvar%2Frun%2Fdocker.sock/
//127.0.0.1:{p}/
/etc/passwd
127.0.0.1:{p}
localhost:{p}
http
http:
http://
https://
:
?
"""
URLS = [line.encode("latin-1", "backslashreplace").decode("unicode_escape") for line in HOSTILE.strip("\n").split("\n")]
URLS += ["", "http://127.0.0.1/" + "a" * 9000, "http://" + "a." * 5000 + "test/", "http://" + "é" * 300 + "/"]

SENDABLE = [url for url in URLS if url and not set("\r\n\0") & set(url)]


def outcome(kind: str, door: UrlFetcher, url: str, to: Path) -> FetchError:
    with pytest.raises(FetchError) as caught:
        KINDS[kind](door, url, to)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("url", URLS, ids=range(len(URLS)))
def test_a_hostile_address_is_never_connected_to(
    url: str, kind: str, door: UrlFetcher, trap: Server, tmp_path: Path, connections: list[object]
) -> None:
    error = outcome(kind, door, url.replace("{p}", str(trap.port)), tmp_path / "file")
    assert connections == []
    assert trap.requests == []
    assert list(tmp_path.iterdir()) == []
    assert error.code in {"bad_url", "scheme", "credentials", "not_allowed", "blocked_port", "unreachable"}


@pytest.mark.parametrize("url", SENDABLE, ids=range(len(SENDABLE)))
def test_nor_is_it_as_the_target_of_a_redirect(
    url: str, door: UrlFetcher, trap: Server, tmp_path: Path, connections: list[object]
) -> None:
    location = url.replace("{p}", str(trap.port)).encode("utf-8", "surrogatepass")
    with serving(redirect(location)) as server:
        outcome("page", door, server.url(), tmp_path / "file")
        assert set(connections) <= {(PUBLIC, server.port)}
        assert trap.requests == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("host", "path"),
    [
        (PUBLIC, "/"),
        ("public.test", "/"),
        ("PUBLIC.test", "/a/b.png?x=1&y=%20#part"),
        ("public.test.", "/@user"),
        ("bücher.test", "/straße?q=ü"),
        ("public.test", "/a b"),
        ("public.test", "/?u=http://127.0.0.1/"),
    ],
)
def test_an_ordinary_address_is_served(host: str, path: str, kind: str, door: UrlFetcher, tmp_path: Path) -> None:
    types = {"picture": "image/png", "clip": "video/mp4"}
    with serving(ok(b"body", types.get(kind, "text/html; charset=utf-8"))) as server:
        result = KINDS[kind](door, server.url(path, host), tmp_path / "file")
        assert len(server.requests) == 1
    if kind == "webhook":
        assert result == 200
    else:
        assert (tmp_path / "file").read_bytes() == b"body"


# --- what an answer gives away -------------------------------------------------------------------------------------------


def test_what_exists_inside_cannot_be_told_from_what_does_not(door: UrlFetcher, trap: Server, tmp_path: Path) -> None:
    closed = socket.create_server((PUBLIC, 0))
    port = closed.getsockname()[1]
    closed.close()
    answers = {
        str(outcome("page", door, url, tmp_path / "file"))
        for url in (
            f"http://inside.test:{trap.port}/",
            "http://inside.test:8/",
            "http://ten.test/",
            "http://nowhere.test/",
            "http://both.test/",
            f"http://public.test:{port}/",
        )
    }
    assert answers == {ERROR_MESSAGES["unreachable"]}


def test_messages_hold_neither_the_address_nor_a_library_s_words(door: UrlFetcher, tmp_path: Path) -> None:
    for url in URLS:
        message = str(outcome("page", door, url.replace("{p}", "8080"), tmp_path / "file"))
        assert message in {text.format("http:// or https://") for text in ERROR_MESSAGES.values()}


# --- names that move -----------------------------------------------------------------------------------------------------


class Moving:
    """A name that resolves elsewhere at every question."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int, *rest: int) -> list[tuple[object, ...]]:
        address = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


def test_a_name_is_asked_once_and_the_checked_address_is_the_one_connected_to(
    tmp_path: Path, connections: list[object]
) -> None:
    moving = Moving(PUBLIC, INSIDE)
    with serving(ok()) as server:
        UrlFetcher(allowed_hosts=[PUBLIC], resolver=moving).fetch(
            server.url(host="moving.test"), tmp_path / "file", PAGE_POLICY
        )
        assert connections == [(PUBLIC, server.port)]
        assert moving.asked == 1
        assert f"Host: moving.test:{server.port}".encode() in server.requests[0]


def test_after_a_redirect_the_name_is_asked_and_checked_again(tmp_path: Path, connections: list[object]) -> None:
    moving = Moving(PUBLIC, INSIDE)
    door = UrlFetcher(allowed_hosts=[PUBLIC], resolver=moving)
    with serving(redirect("/again")) as server:
        assert outcome("page", door, server.url(host="moving.test"), tmp_path / "file").code == "unreachable"
        assert connections == [(PUBLIC, server.port)]
        assert moving.asked == 2


# --- redirects -----------------------------------------------------------------------------------------------------------


def chain(length: int, status: int = 302) -> Callable[[bytes], Iterator[bytes]]:
    def answer(request: bytes) -> Iterator[bytes]:
        number = int(request.split()[1].strip(b"/") or 0)
        yield redirect(f"/{number + 1}", status) if number < length else ok()

    return answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_five_redirects_are_followed(status: int, door: UrlFetcher, tmp_path: Path) -> None:
    with serving(chain(5, status)) as server:
        fetched = door.fetch(server.url(), tmp_path / "file", PAGE_POLICY)
        assert fetched.final_url == server.url("/5")
        assert len(server.requests) == 6


def test_six_are_not(door: UrlFetcher, tmp_path: Path) -> None:
    with serving(chain(6)) as server:
        assert outcome("page", door, server.url(), tmp_path / "file").code == "too_many_redirects"
        assert len(server.requests) == 6


def test_a_redirect_without_a_target_is_an_error_answer(door: UrlFetcher, tmp_path: Path) -> None:
    with serving(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n") as server:
        assert outcome("page", door, server.url(), tmp_path / "file").message.endswith("302")


def test_nothing_of_one_hop_reaches_the_next(door: UrlFetcher, tmp_path: Path) -> None:
    def answer(request: bytes) -> Iterator[bytes]:
        if b"GET / " in request:
            yield redirect("/next").replace(b"Content-Length", b"Set-Cookie: a=b\r\nContent-Length")
        else:
            yield ok()

    with serving(answer) as server:
        door.fetch(server.url(), tmp_path / "file", PAGE_POLICY)
        second = server.requests[1].lower()
    assert not any(header in second for header in (b"cookie", b"authorization", b"referer"))


def test_the_answer_to_a_webhook_is_not_followed(door: UrlFetcher) -> None:
    with serving(redirect("/elsewhere", 307)) as server:
        assert door.post_json(server.url(), b"{}", {}) == 307
        assert len(server.requests) == 1


# --- sizes and times -----------------------------------------------------------------------------------------------------


def test_a_body_within_the_limit_is_whole(door: UrlFetcher, tmp_path: Path) -> None:
    body = os.urandom(SMALL.limit_bytes)
    with serving(ok(body)) as server:
        fetched = door.fetch(server.url(), tmp_path / "file", SMALL)
    assert (fetched.path.read_bytes(), fetched.size, fetched.content_type) == (body, len(body), "text/html")


def test_a_declared_length_beyond_the_limit_is_not_read(door: UrlFetcher, tmp_path: Path) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {300 * 1024 * 1024}\r\n\r\n".encode()

    def answer(_: bytes) -> Iterator[bytes]:
        yield head
        time.sleep(5)

    with serving(answer) as server:
        started = time.monotonic()
        error = outcome("picture", door, server.url(), tmp_path / "file")
    assert error.code in {"too_large", "wrong_type"}
    with serving(answer) as server, pytest.raises(FetchError, match="larger than 10 MB"):
        door.fetch(server.url(), tmp_path / "file", PAGE_POLICY)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("framing", ["", "Transfer-Encoding: chunked\r\n"])
def test_an_endless_body_is_cut_at_the_limit(framing: str, door: UrlFetcher, tmp_path: Path) -> None:
    sent = []

    def answer(_: bytes) -> Iterator[bytes]:
        yield f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{framing}\r\n".encode()
        while True:
            sent.append(1)
            yield (b"10000\r\n" + b"x" * 65536 + b"\r\n") if framing else b"x" * 65536

    with serving(answer) as server:
        assert outcome_of(door, server, tmp_path, SMALL) == "too_large"
    assert list(tmp_path.iterdir()) == []


def outcome_of(door: UrlFetcher, server: Server, folder: Path, want: FetchPolicy) -> str:
    with pytest.raises(FetchError) as caught:
        door.fetch(server.url(), folder / "file", want)
    return caught.value.code


def drip_body(_: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
    while True:
        time.sleep(0.05)
        yield b"x"


def drip_headers(_: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        time.sleep(0.05)
        yield b"X-More: 1\r\n"


def interim_forever(_: bytes) -> Iterator[bytes]:
    while True:
        time.sleep(0.01)
        yield b"HTTP/1.1 103 Early Hints\r\n\r\n"


def silence(_: bytes) -> Iterator[bytes]:
    time.sleep(2)
    yield b""


def redirect_slowly(_: bytes) -> Iterator[bytes]:
    time.sleep(0.2)
    yield redirect("/again")


@pytest.mark.parametrize("answer", [drip_body, drip_headers, interim_forever, silence, redirect_slowly])
def test_the_time_limit_is_for_the_whole_exchange(
    answer: Callable[[bytes], Iterator[bytes]], door: UrlFetcher, tmp_path: Path
) -> None:
    with serving(answer) as server:
        started = time.monotonic()
        assert outcome_of(door, server, tmp_path, FetchPolicy("page", 10**6, 0.4, ("text/html",))) == "timeout"
        assert time.monotonic() - started < 1.5
    assert list(tmp_path.iterdir()) == []


def test_a_name_server_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    def stuck(*_: object) -> list[tuple[object, ...]]:
        time.sleep(2)
        return []

    started = time.monotonic()
    with pytest.raises(FetchError, match="timed out"):
        UrlFetcher(resolver=stuck).fetch(
            "http://slow.test/", tmp_path / "file", FetchPolicy("page", 10, 0.3, ("text/html",))
        )
    assert time.monotonic() - started < 1.5


def stuck_name(*_: object) -> list[tuple[object, ...]]:
    time.sleep(2)
    return []


@pytest.mark.parametrize("where", ["name", "headers", "body"])
def test_who_waits_no_longer_ends_a_fetch_at_once(where: str, tmp_path: Path) -> None:
    stop = threading.Event()
    door = UrlFetcher(resolver=stuck_name) if where == "name" else UrlFetcher(allow_private=True)
    with serving(drip_body if where == "body" else silence) as server:
        url = "http://slow.test/" if where == "name" else server.url()
        threading.Timer(0.2, stop.set).start()
        started = time.monotonic()
        with pytest.raises(FetchError) as caught:
            door.fetch(url, tmp_path / "file", FetchPolicy("page", 10**6, 20.0, ("text/html",)), stop=stop)
        assert caught.value.code == "cancelled"
        assert time.monotonic() - started < 1.0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", [drip_headers, silence])
def test_a_webhook_is_cut_in_all_and_not_per_read(answer: Callable[[bytes], Iterator[bytes]], door: UrlFetcher) -> None:
    with serving(answer) as server:
        started = time.monotonic()
        with pytest.raises(FetchError, match="timed out"):
            door.post_json(server.url(), b"{}", {}, seconds=0.4)
        assert time.monotonic() - started < 1.5


def test_a_webhook_s_answer_needs_no_end(door: UrlFetcher) -> None:
    with serving(drip_body) as server:
        assert door.post_json(server.url(), b"{}", {}, seconds=5) == 200


# --- kinds of answers ----------------------------------------------------------------------------------------------------


def test_compressed_answers_are_refused_unread(door: UrlFetcher, tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with serving(ok(bomb, "text/html", "Content-Encoding: gzip")) as server:
        assert outcome_of(door, server, tmp_path, PAGE_POLICY) == "unsupported_encoding"
        assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("want", "content_type", "fits"),
    [
        (IMAGE_POLICY, "image/png", True),
        (IMAGE_POLICY, "IMAGE/JPEG; q=1", True),
        (IMAGE_POLICY, "binary/octet-stream", True),
        (IMAGE_POLICY, "text/html", False),
        (IMAGE_POLICY, "imagery/png", False),
        (PAGE_POLICY, "text/html; charset=shift_jis", True),
        (PAGE_POLICY, "text/plain", True),
        (PAGE_POLICY, "application/xhtml+xml", True),
        (PAGE_POLICY, "application/pdf", False),
        (PAGE_POLICY, "image/png", False),
        (VIDEO_POLICY, "video/mp4", True),
        (VIDEO_POLICY, "application/vnd.apple.mpegurl", False),
        (AUDIO_POLICY, "audio/mpeg", True),
        (AUDIO_POLICY, "text/plain", False),
    ],
)
def test_only_wanted_media_types_are_read(
    want: FetchPolicy, content_type: str, fits: bool, door: UrlFetcher, tmp_path: Path
) -> None:
    with serving(ok(b"x", content_type)) as server:
        if fits:
            fetched = door.fetch(server.url(), tmp_path / "file", want)
            assert fetched.content_type == content_type.partition(";")[0].lower()
        else:
            assert outcome_of(door, server, tmp_path, want) == "wrong_type"


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 500, 503])
def test_only_a_whole_answer_counts(status: int, door: UrlFetcher, tmp_path: Path) -> None:
    answer = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()
    with serving(answer) as server, pytest.raises(FetchError, match=str(status)):
        door.fetch(server.url(), tmp_path / "file", PAGE_POLICY)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0" * 1000,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 3000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
    ],
    ids=range(16),
)
def test_nonsense_is_an_error_of_ours_and_leaves_no_file(answer: bytes, door: UrlFetcher, tmp_path: Path) -> None:
    with serving(answer) as server:
        assert outcome_of(door, server, tmp_path, SMALL) in {
            "invalid_response",
            "bad_status",
            "too_large",
            "wrong_type",
        }
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_never_overwritten(door: UrlFetcher, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with serving(ok()) as server, pytest.raises(FileExistsError):
        door.fetch(server.url(), tmp_path / "file", PAGE_POLICY)
    assert (tmp_path / "file").read_bytes() == b"mine"


# --- what the operator may admit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [INSIDE, "localhost", "inside.test", "LOCALHOST."])
@pytest.mark.parametrize("schemes", [("http", "https"), ("https",)])
def test_allow_private_admits_loopback_over_plain_http(host: str, schemes: tuple[str, ...], tmp_path: Path) -> None:
    door = UrlFetcher(allow_private=True, resolver=resolver)
    with serving(ok(), INSIDE) as server:
        if schemes == ("https",) and host == "inside.test":
            with pytest.raises(FetchError, match="must start with https://"):
                door.fetch(server.url(host=host), tmp_path / "file", PAGE_POLICY, schemes)
        else:
            assert door.fetch(server.url(host=host), tmp_path / "file", PAGE_POLICY, schemes).size == 8


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://ten.test/", "http://169.254.169.254/", "http://[fd00::1]/"]
)
def test_allow_private_admits_nothing_but_loopback(url: str, tmp_path: Path, connections: list[object]) -> None:
    outcome("page", UrlFetcher(allow_private=True, resolver=resolver), url, tmp_path / "file")
    assert connections == []


@pytest.mark.parametrize("allow_private", [False, True])
def test_where_https_is_asked_for_plain_http_stays_refused(allow_private: bool) -> None:
    with pytest.raises(FetchError, match="must start with https://"):
        UrlFetcher(allow_private=allow_private, resolver=resolver).check("http://public.test/", ("https",))


def test_https_does_not_fall_back_to_http_by_a_redirect(door: UrlFetcher) -> None:
    """A redirect is checked with the schemes of the request."""
    with serving(redirect("http://public.test/")) as server:
        private = UrlFetcher(allow_private=True, allowed_hosts=[PUBLIC], resolver=resolver)
        with pytest.raises(FetchError, match="must start with https://"):
            private.fetch(server.url(), Path("never"), PAGE_POLICY, ("https",))


@pytest.mark.parametrize("entry", ["hooks.corp.test", "*.corp.test", "HOOKS.corp.test.", "127.0.0.1", "127.0.0.0/30"])
def test_hosts_that_the_operator_names_may_lie_inside(entry: str) -> None:
    with serving(ok(), INSIDE) as server:
        url = server.url(host="hooks.corp.test")
        assert UrlFetcher(allowed_hosts=[entry], resolver=resolver).post_json(url, b"{}", {}) == 200


@pytest.mark.parametrize(
    "url",
    ["http://inside.test:{p}/", "http://127.0.0.1:{p}/", "http://evil-corp.test:{p}/", "http://meta.corp.test/"],
)
def test_a_name_that_is_trusted_opens_nothing_else(url: str, trap: Server, connections: list[object]) -> None:
    """Not other names, not the address itself, and never the cloud's metadata."""
    door = UrlFetcher(allowed_hosts=["*.corp.test"], resolver=resolver)
    with pytest.raises(FetchError):
        door.post_json(url.replace("{p}", str(trap.port)), b"{}", {})
    assert connections == []


@pytest.mark.parametrize("entry", ["", "*", "a.*.test", "64:ff9b::/96", "http://a.test", "a.test:80", "10.0.0.1/8"])
def test_an_entry_that_would_admit_everything_or_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="allowed_"):
        UrlFetcher(allowed_hosts=[entry])


def test_the_environment_s_proxy_is_not_used(
    door: UrlFetcher, trap: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{trap.port}")
    with serving(ok()) as server:
        assert door.fetch(server.url(), tmp_path / "file", PAGE_POLICY).size == 8
    assert trap.requests == []


# --- webhooks and servers ------------------------------------------------------------------------------------------------


def test_a_webhook_sends_exactly_the_bytes_that_were_signed(door: UrlFetcher) -> None:
    body = '{"b": 1,  "a": "ü"}'.encode()
    with serving(b"HTTP/1.1 204 No Content\r\n\r\n") as server:
        assert door.post_json(server.url("/hook"), body, {"webhook-id": "msg_1"}) == 204
        head, _, sent = server.requests[0].partition(b"\r\n\r\n")
    assert sent == body
    assert head.startswith(b"POST /hook HTTP/1.1")
    assert {b"webhook-id: msg_1", b"content-type: application/json"} <= {line.lower() for line in head.split(b"\r\n")}


@pytest.mark.parametrize("status", [200, 301, 410, 500])
def test_a_webhook_gives_the_status(status: int, door: UrlFetcher) -> None:
    with serving(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()) as server:
        assert door.post_json(server.url(), b"{}", {}) == status


def test_many_at_once_do_not_wait_for_each_other(door: UrlFetcher, tmp_path: Path) -> None:
    async def fetch_all(server: Server, slow: Server) -> float:
        stalled = asyncio.create_task(
            door.afetch(slow.url(), tmp_path / "slow", FetchPolicy("page", 10**6, 1.5, ("text/html",)))
        )
        started = time.monotonic()
        await asyncio.gather(*(door.afetch(server.url(), tmp_path / str(n), PAGE_POLICY) for n in range(20)))
        seconds = time.monotonic() - started
        stalled.cancel()
        return seconds

    with serving(ok()) as server, serving(drip_body) as slow:
        assert asyncio.run(fetch_all(server, slow)) < 1.4
    assert {path.name for path in tmp_path.iterdir()} == {str(n) for n in range(20)}


def test_cancelling_leaves_no_file(door: UrlFetcher, tmp_path: Path) -> None:
    async def cancel(server: Server) -> None:
        task = asyncio.create_task(door.afetch(server.url(), tmp_path / "file", SMALL))
        while not (tmp_path / "file").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with serving(drip_body) as server:
        asyncio.run(cancel(server))
    assert list(tmp_path.iterdir()) == []


# --- a second opinion ----------------------------------------------------------------------------------------------------


def test_whatever_another_guard_denies_is_denied() -> None:
    """The published deny list of another library; what is NAT64 to us is decided by the address that it carries."""
    ranges = pytest.importorskip("AntiSSRF.ipaddress_ranges").IPAddressRanges.recommended_latest
    door = UrlFetcher()
    for text in ranges:
        network = ip_network(text)
        if text == "64:ff9b::/96":
            continue
        for address in (network[0], network[network.num_addresses // 2], network[-1]):
            host = f"[{address}]" if address.version == 6 else str(address)
            with pytest.raises(FetchError):
                door.check(f"http://{host}/")


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "223.255.255.254", "2606:4700::1111", "2a00::1",
     "64:ff9b::808:808"],
)  # fmt: skip
def test_public_addresses_are_not(address: str) -> None:
    UrlFetcher().check(f"https://{f'[{address}]' if ip_address(address).version == 6 else address}/")


# --- https -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def serving_tls(authority: trustme.CA, name: str) -> Iterator[str]:
    """An https server for one connection, with a certificate for `name`; gives its address under the name public.test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    listener = socket.create_server((PUBLIC, 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as stream:
            stream.recv(65536)
            stream.sendall(ok())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://public.test:{listener.getsockname()[1]}/"
    thread.join(5)
    listener.close()


def trusting(authority: trustme.CA) -> UrlFetcher:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return UrlFetcher(allowed_hosts=[PUBLIC], resolver=resolver, tls=context)


def test_the_certificate_is_held_against_the_name_and_not_the_address(authority: trustme.CA, tmp_path: Path) -> None:
    with serving_tls(authority, "public.test") as url:
        assert trusting(authority).fetch(url, tmp_path / "file", PAGE_POLICY, ("https",)).final_url == url
    with serving_tls(authority, "other.test") as url:
        assert outcome("page", trusting(authority), url, tmp_path / "other").code == "unreachable"


def test_a_certificate_of_nobody_known_is_refused(door: UrlFetcher, authority: trustme.CA, tmp_path: Path) -> None:
    with serving_tls(authority, "public.test") as url:
        assert outcome("page", door, url, tmp_path / "file").code == "unreachable"
