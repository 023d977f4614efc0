"""The URL fetcher: all network access for the images, pages, videos, audio files and webhooks of stories.

URLs in stories are untrusted (server-side request forgery). A URL is parsed once, its host is resolved once, the
resolved address is checked, and the connection goes to exactly that address. A redirect is checked like a new URL. Time
and size limits cover the whole exchange: resolution, connection, redirects and body.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

from pipelines.base import MissingDependency

if TYPE_CHECKING:
    import httpx
    from ssrfguard import AddressTable, Policy, Target

Resolver = Callable[..., list[tuple[Any, ...]]]
"""A function with the signature of `socket.getaddrinfo`."""

WEB_SCHEMES: tuple[str, ...] = ("http", "https")
USER_AGENT = "story-engine"
MAX_REDIRECTS = 5
MAX_URL_LENGTH = 8192
CONNECT_SECONDS = 5.0
STOP_POLL_SECONDS = 0.1
"""Seconds between two checks of the stop event."""
MEGABYTE = 1024 * 1024

# Ports of other protocols that an HTTP request could be smuggled into: https://fetch.spec.whatwg.org/#port-blocking.
BLOCKED_PORTS = frozenset((
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
))  # fmt: skip
LOOPBACK_NETWORKS = ("127.0.0.0/8", "::1/128")
# Networks of the hosts that the operator allows. Link-local addresses (cloud metadata) are never allowed.
PRIVATE_NETWORKS = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", *LOOPBACK_NETWORKS)
# URL parsers disagree about these characters: some drop them, some read a backslash as a slash.
_AMBIGUOUS_CHARS = re.compile(r"[\x00-\x1f\x7f\\]")
# System resolvers read a host with such a last label as an address: 0x7f000001, 017700000001, 127.1.
_NUMERIC_LAST_LABEL = re.compile(r"(?:^|\.)(?:0x[0-9a-f]*|[0-9]+)\.?$")
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


class FetchError(RuntimeError):
    """A fetch failed. `code`: a key of `ERROR_MESSAGES`; `message`: its text, without the URL and without library
    messages."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.message = ERROR_MESSAGES[code].format(detail)
        super().__init__(self.message)


# Unknown hosts, hosts in private networks and hosts that are down share one message: different messages would let
# clients map the network of the engine.
ERROR_MESSAGES: Mapping[str, str] = {
    "bad_url": "is not a valid http(s) URL",
    "scheme": "must start with {}",
    "credentials": "must not contain a user name or password",
    "not_allowed": "is an address in a private or reserved network, which is not allowed",
    "blocked_port": "has a port that is blocked for HTTP",
    "unreachable": "is unreachable, or is in a private network, which is not allowed",
    "timeout": "timed out",
    "too_many_redirects": "has too many redirects",
    "bad_status": "returned status {}",
    "wrong_type": "is not {}",
    "unsupported_encoding": "returned a compressed response that was not requested",
    "too_large": "is larger than {} MB",
    "invalid_response": "returned an incomplete or invalid HTTP response",
    "cancelled": "was cancelled",
}


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """The limits of a fetch: total bytes and seconds, accepted media types; `label`: the expected file with its
    article."""

    label: str
    limit_bytes: int
    seconds: float
    accept: tuple[str, ...]


# Servers of signed downloads send every file as octet-stream; the decoder checks the actual type.
_OCTET_STREAM_TYPES = ("application/octet-stream", "binary/octet-stream")
IMAGE_POLICY = FetchPolicy("an image", 25 * MEGABYTE, 30.0, ("image/*", *_OCTET_STREAM_TYPES))
PAGE_POLICY = FetchPolicy("a page", 10 * MEGABYTE, 20.0, ("text/html", "application/xhtml+xml", "text/plain"))
VIDEO_POLICY = FetchPolicy("a video", 500 * MEGABYTE, 120.0, ("video/*", "application/mp4", *_OCTET_STREAM_TYPES))
AUDIO_POLICY = FetchPolicy(
    "an audio file", 100 * MEGABYTE, 60.0, ("audio/*", "video/mp4", "application/ogg", *_OCTET_STREAM_TYPES)
)


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A fetched file. `content_type`: without parameters; `final_url`: after redirects; `size` in bytes."""

    path: Path
    content_type: str
    final_url: str
    size: int


@dataclass(frozen=True, slots=True)
class _CheckedUrl:
    """A URL that may be requested, and the policy for the addresses of its host."""

    url: httpx.URL
    policy: Policy


class UrlFetcher:
    """Fetches URLs and posts webhooks, to public addresses only.

    `allow_private`: allow loopback addresses, also with plain http where https is required; `allowed_hosts`: host names
    (`hooks.corp.example`, `*.corp.example`) that may resolve to private addresses, and allowed private addresses or
    networks (`10.1.2.0/24`); `resolver`: replaces `socket.getaddrinfo`; `tls`: replaces the trusted certificates of the
    system. Raises ValueError for an invalid entry of `allowed_hosts`, MissingDependency without the extra "net".
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        allowed_hosts: Sequence[str] = (),
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        try:
            from ssrfguard import Policy
        except ImportError as error:
            raise MissingDependency('fetching URLs needs the extra "net"; pip install "story-engine[net]"') from error
        self._allow_private, self._resolver, self._custom_tls = allow_private, resolver, tls
        networks = [entry for entry in allowed_hosts if _is_network(entry)]
        names = [entry for entry in allowed_hosts if not _is_network(entry)]
        for name in names:
            if set(name) & set(":/@"):
                raise ValueError(f"allowed_hosts: {name!r} is not a host name, an address or a network")
        table = _deny_table()
        self._public = Policy(
            denied_networks=table,
            allowed_networks=tuple(
                ip_network(net) for net in (*networks, *(LOOPBACK_NETWORKS if allow_private else ()))
            ),
            allowed_ports=frozenset(range(1, 65536)),
            max_url_length=MAX_URL_LENGTH,
        )
        self._trusted = replace(
            self._public, denied_networks=_allow_private_networks(table), allowed_hosts=frozenset(names)
        )
        self._has_trusted_hosts = bool(names)

    def check(self, url: str, schemes: Sequence[str] = WEB_SCHEMES) -> None:
        """Check a URL without network access. Raises FetchError."""
        self._check_url(url, schemes)

    def fetch(
        self,
        url: str,
        to: Path,
        policy: FetchPolicy,
        schemes: Sequence[str] = WEB_SCHEMES,
        *,
        stop: Event | None = None,
    ) -> FetchedFile:
        """Run `afetch` without an event loop. Setting `stop` in another thread cancels it with FetchError."""
        return asyncio.run(_run_until_stopped(stop, self.afetch(url, to, policy, schemes)))

    def post_json(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float = 10.0,
        schemes: Sequence[str] = WEB_SCHEMES,
    ) -> int:
        """Run `apost_json` without an event loop."""
        return asyncio.run(self.apost_json(url, body, headers, seconds, schemes))

    async def afetch(
        self, url: str, to: Path, policy: FetchPolicy, schemes: Sequence[str] = WEB_SCHEMES
    ) -> FetchedFile:
        """Fetch `url` into the new file `to`, with at most MAX_REDIRECTS redirects.

        Raises FetchError, and FileExistsError if `to` exists. After an error there is no partial file."""
        try:
            async with asyncio.timeout(policy.seconds):
                return await self._follow(self._check_url(url, schemes), to, policy, schemes)
        except TimeoutError as error:
            raise FetchError("timeout") from error

    async def apost_json(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float = 10.0,
        schemes: Sequence[str] = WEB_SCHEMES,
    ) -> int:
        """Post `body` (JSON, sent unchanged because it may be signed) and return the status of the response.

        Redirects are not followed and the response body is not read. `seconds` limits the whole exchange. Raises
        FetchError."""
        try:
            async with asyncio.timeout(seconds):
                hop = self._check_url(url, schemes)
                async with self._request(
                    hop, "POST", {"Content-Type": "application/json", **headers}, body
                ) as response:
                    return int(response.status_code)
        except TimeoutError as error:
            raise FetchError("timeout") from error

    async def _follow(self, hop: _CheckedUrl, to: Path, policy: FetchPolicy, schemes: Sequence[str]) -> FetchedFile:
        headers = {"Accept": ", ".join(policy.accept)}
        for _ in range(MAX_REDIRECTS + 1):
            async with self._request(hop, "GET", headers) as response:
                location = response.headers.get("location")
                if response.status_code not in _REDIRECT_STATUSES or location is None:
                    content_type = _check_response(response, policy)
                    size = await _save(response, to, policy)
                    return FetchedFile(to, content_type, str(hop.url), size)
            hop = self._check_url(_join_redirect(hop.url, location), schemes)
        raise FetchError("too_many_redirects")

    @asynccontextmanager
    async def _request(
        self, hop: _CheckedUrl, method: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Send one request on a new connection.

        The guarded transport is used without an httpx client: no cookies, no proxy, no connection pool, so that a hop
        leaves no state for the next; and only this module reads the target of a redirect."""
        import httpx
        from ssrfguard import SSRFGuardError
        from ssrfguard.httpx import AsyncSafeTransport

        request = httpx.Request(
            method,
            hop.url,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close", **headers},
            content=body,
            extensions={"timeout": {"connect": CONNECT_SECONDS}},
        )
        transport = AsyncSafeTransport(policy=hop.policy, resolver=self._resolver, verify=self._tls, trust_env=False)
        try:
            async with transport:
                response = await transport.handle_async_request(request)
                try:
                    yield response
                finally:
                    await response.aclose()
        except (SSRFGuardError, httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise FetchError("unreachable") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise FetchError("invalid_response") from error

    def _check_url(self, text: str, schemes: Sequence[str]) -> _CheckedUrl:
        """Parse and check a URL; the result is used for the request, so that it is parsed once."""
        import httpx
        from ssrfguard import BlockedAddressError, BlockedURLError

        if len(text) > MAX_URL_LENGTH or _AMBIGUOUS_CHARS.search(text):
            raise FetchError("bad_url")
        try:
            url = httpx.URL(text).copy_with(fragment=None)
            host, readable = url.raw_host.decode("ascii"), url.host
        except (httpx.InvalidURL, ValueError) as error:
            raise FetchError("bad_url") from error
        if url.scheme not in WEB_SCHEMES:
            raise FetchError("scheme", _format_schemes(schemes))
        if url.userinfo:
            raise FetchError("credentials")
        if not readable:
            raise FetchError("bad_url")
        policy = self._policy(host)
        try:
            target = policy.check_url(str(url))
        except BlockedURLError as error:
            raise FetchError(
                "not_allowed" if isinstance(error.__cause__, BlockedAddressError) else "bad_url"
            ) from error
        if target.host != host or (target.address is None and _NUMERIC_LAST_LABEL.search(host)):
            raise FetchError("bad_url")
        if target.port in BLOCKED_PORTS:
            raise FetchError("blocked_port")
        local = _is_local(target)
        if local and policy is self._public and not self._allow_private and target.address is None:
            raise FetchError("not_allowed")
        if url.scheme not in schemes and not (local and self._allow_private):
            raise FetchError("scheme", _format_schemes(schemes))
        return _CheckedUrl(url, policy)

    def _policy(self, host: str) -> Policy:
        from ssrfguard import BlockedURLError

        if not self._has_trusted_hosts:
            return self._public
        try:
            self._trusted.check_host(host)
        except BlockedURLError:
            return self._public
        return self._trusted

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Return a context with the certificates of the system (including those of the operator) and of certifi."""
        if self._custom_tls is not None:
            return self._custom_tls
        import certifi

        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return context


T = TypeVar("T")


async def _run_until_stopped(stop: Event | None, coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine; cancel it with FetchError when `stop` is set."""
    task = asyncio.create_task(coroutine)
    while not task.done():
        if stop is not None and stop.is_set():
            task.cancel()
            await asyncio.wait({task})
            raise FetchError("cancelled")
        await asyncio.wait({task}, timeout=STOP_POLL_SECONDS)
    return task.result()


def _deny_table() -> AddressTable:
    """Return a table that permits ordinary public addresses only.

    Beyond the defaults of ssrfguard it denies special-purpose blocks, tunnels whose inner address another host chooses,
    unallocated IPv6, and the public address of the Azure platform."""
    from ssrfguard import DEFAULT_DENIED, AddressTable, Block, Reach

    # Addresses with an embedded IPv4 address are checked by that address: resolvers return them, and NAT64 needs them.
    carriers = {ip_network("::ffff:0:0/96"), ip_network("64:ff9b::/96")}
    return AddressTable(
        (
            *(
                block if block.network in carriers else replace(block, reach=Reach.DENIED)
                for block in DEFAULT_DENIED.blocks
            ),
            Block(ip_network("168.63.129.16/32"), "Azure platform", "-", Reach.DENIED),
            Block(ip_network("::/0"), "Unallocated", "RFC4291", Reach.DENIED),
            Block(ip_network("2000::/3"), "Global Unicast", "RFC4291", Reach.PERMITTED),
        ),
        snapshot=DEFAULT_DENIED.snapshot,
    )


def _allow_private_networks(table: AddressTable) -> AddressTable:
    from ssrfguard import AddressTable, Reach

    private = {ip_network(network) for network in PRIVATE_NETWORKS}
    blocks = (replace(block, reach=Reach.PERMITTED) if block.network in private else block for block in table.blocks)
    return AddressTable(tuple(blocks), snapshot=table.snapshot)


def _is_network(entry: str) -> bool:
    try:
        ip_network(entry)
    except ValueError:
        return False
    return True


def _is_local(target: Target) -> bool:
    if target.address is not None:
        return target.address.is_loopback
    name = target.host.rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _join_redirect(base: httpx.URL, location: str) -> str:
    """Return the target of a redirect, unchecked: `_check_url` checks it."""
    import httpx

    if len(location) > MAX_URL_LENGTH or _AMBIGUOUS_CHARS.search(location):
        raise FetchError("bad_url")
    try:
        return str(base.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("bad_url") from error


def _check_response(response: httpx.Response, policy: FetchPolicy) -> str:
    """Return the media type of a response that satisfies the policy. Raises FetchError."""
    if response.status_code != 200:
        raise FetchError("bad_status", str(response.status_code))
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise FetchError("unsupported_encoding")
    media_type: str = response.headers.get("content-type", _OCTET_STREAM_TYPES[0]).partition(";")[0].strip().lower()
    if not any(
        media_type == accepted or (accepted.endswith("/*") and media_type.startswith(accepted[:-1]))
        for accepted in policy.accept
    ):
        raise FetchError("wrong_type", policy.label)
    declared = response.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > policy.limit_bytes:
        raise _too_large(policy)
    return media_type


async def _save(response: httpx.Response, to: Path, policy: FetchPolicy) -> int:
    size = 0
    with to.open("xb") as file:
        try:
            async for chunk in response.aiter_raw(64 * 1024):
                size += len(chunk)
                if size > policy.limit_bytes:
                    raise _too_large(policy)
                file.write(chunk)
        except BaseException:
            to.unlink(missing_ok=True)
            raise
    return size


def _too_large(policy: FetchPolicy) -> FetchError:
    return FetchError("too_large", f"{policy.limit_bytes / MEGABYTE:g}")


def _format_schemes(schemes: Sequence[str]) -> str:
    return " or ".join(f"{scheme}://" for scheme in schemes)
