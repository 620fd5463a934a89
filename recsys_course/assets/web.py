"""A zip from a web server: short time-outs, and an interrupted download goes on where it stopped."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

from recsys_course.assets.integrity import SourceFailed, refuse_unless
from recsys_course.assets.progress_bar import progress_bar
from recsys_course.assets.records import Archive

CONNECT_S = 3.0  # seconds to find the server and connect, before the next source is tried
STALL_S = 10.0  # seconds without a byte, after which a connection counts as dead
ATTEMPTS = 3  # connections that may break in the middle of one download
CHUNK = 1 << 14  # bytes; what arrived of a chunk is lost when the connection breaks


def download(source: Archive, folder: Path, progress: bool) -> Path:
    """Fetch and verify an archive; what arrived of a broken download stays as ``.part`` for the next time.

    Raises:
        SourceFailed: the server cannot be reached, stalls or refuses, or the file is not the one expected.
    """
    target = folder / Path(urlsplit(source.url).path).name
    part = target.with_name(target.name + ".part")
    kind, expected = _expected_hash(source)
    for _ in range(ATTEMPTS):
        before = _size(part)
        try:
            _append(source, part, progress)
            break
        except requests.RequestException as error:
            if _size(part) <= before:  # nothing gained: trying again would be no better
                raise SourceFailed(_reason(error)) from None
    else:
        raise SourceFailed(f"the connection broke {ATTEMPTS} times; {_size(part):,} bytes are kept for next time")
    part.replace(target)
    refuse_unless(target, kind, expected)
    return target


def _expected_hash(source: Archive) -> tuple[str, str]:
    if source.sha256:
        return "sha256", source.sha256
    if source.md5:
        return "md5", source.md5
    try:
        with _connect(source.url + ".md5") as response:
            published = re.search(r"\b[0-9a-f]{32}\b", response.text.lower())
    except requests.RequestException as error:
        raise SourceFailed(_reason(error)) from None
    if published is None:
        raise SourceFailed(f"{source.url}.md5 holds no md5, so that the archive could not be verified")
    return "md5", published[0]


def _append(source: Archive, part: Path, progress: bool) -> None:
    have = _size(part)
    with _connect(source.url, have) as response:
        if response.status_code == 416:  # no such range: what we have is not a beginning of this file
            part.unlink()
            return _append(source, part, progress)
        if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the server ignores ranges and sends the whole file
        total = source.size or have + int(response.headers.get("Content-Length", 0))
        with part.open("ab" if have else "wb") as file, progress_bar(part.stem, total, progress) as advance:
            advance(have)
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                advance(len(chunk))


@contextmanager
def _connect(url: str, have: int = 0) -> Iterator[requests.Response]:
    _find_host(url)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, timeout=(CONNECT_S, STALL_S), stream=True) as response:
        if not (have and response.status_code == 416):
            response.raise_for_status()
        yield response


def _find_host(url: str) -> None:
    """Look the host up in a thread: no connect time-out covers a name server that does not answer."""
    if requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)):
        return  # the proxy looks it up
    failures: list[Exception] = []
    lookup = threading.Thread(target=_look_up, args=(urlsplit(url).hostname, failures), daemon=True)
    lookup.start()
    lookup.join(CONNECT_S)
    if lookup.is_alive() or failures:
        raise SourceFailed("the host name cannot be looked up (no network?)")


def _look_up(host: str, failures: list[Exception]) -> None:
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        failures.append(error)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {CONNECT_S:g} s"
    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server sent nothing for {STALL_S:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke in the middle"
    return f"no connection ({type(error).__name__})"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
