"""A server on this machine that can be good, broken or slow, or lie; and a package index that is a folder."""

import errno
import hashlib
import io
import os
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from recsys_course.assets import Archive, Wheel, receipt, web

RATINGS = b"1\t1\t5\t874724710\n" * 20_000  # 320 KB: many chunks
FILES = {"tiny/u.data": RATINGS, "tiny/README": b"read me", "tiny/mku.sh": b"not wanted"}


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


ZIP = zipped(FILES)
SHA256 = hashlib.sha256(ZIP).hexdigest()


class Server:
    """Answers ``/<behaviour>/tiny.zip`` and remembers the Range header and the bytes sent of each request."""

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_) -> None:
                pass

        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.sent = 0
        self.content = ZIP
        self.md5 = f"MD5 (tiny.zip) = {hashlib.md5(ZIP).hexdigest()}\n"
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # a client that hangs up, as it does after a time-out
        self.released = threading.Event()
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{behaviour}/tiny.zip"

    def close(self) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.paths.append(request.path)
        behaviour = request.path.split("/")[1]
        if request.path.endswith(".md5"):
            content = self.md5.encode()
            return self.send(request, 200 if content else 404, content)
        self.ranges.append(request.headers["Range"])
        getattr(self, f"answer_{behaviour}")(request)

    def answer_good(self, request) -> None:
        start = int((request.headers["Range"] or "bytes=0-")[6:-1])
        if start >= len(self.content):
            return self.send(request, 416, b"")
        end = {"Content-Range": f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"} if start else {}
        self.send(request, 206 if start else 200, self.content[start:], **end)

    def answer_slow(self, request) -> None:
        time.sleep(0.5)
        self.answer_good(request)

    def answer_rangeless(self, request) -> None:
        self.send(request, 200, self.content)

    def answer_missing(self, request) -> None:
        self.send(request, 404, b"")

    def answer_tampered(self, request) -> None:
        self.send(request, 200, ZIP.replace(b"read me", b"evil me"))

    def answer_short(self, request) -> None:
        self.send(request, 200, ZIP[:1000])

    def answer_truncated(self, request) -> None:
        """Promises everything and hangs up after one chunk, every time and whatever the range."""
        self.send(request, 200, ZIP[: web.CHUNK], **{"Content-Length": str(len(ZIP))})
        request.close_connection = True

    def answer_flaky(self, request) -> None:
        """Hangs up in the middle of the first answer, and is good from then on."""
        if len(self.ranges) > 1:
            return self.answer_good(request)
        self.send(request, 200, ZIP[: 6 * web.CHUNK], **{"Content-Length": str(len(ZIP))})
        request.close_connection = True

    def answer_silent(self, request) -> None:
        self.released.wait(20)

    def answer_stalling(self, request) -> None:
        """Sends a beginning and then nothing more."""
        self.send(request, 200, ZIP[: web.CHUNK], **{"Content-Length": str(len(ZIP))})
        request.wfile.flush()
        self.released.wait(20)

    def send(self, request, status: int, content: bytes, **headers: str) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)
        self.sent += len(content)


def archive(url: str, **changes) -> Archive:
    return Archive(url, **({"members": ("u.data", "README*"), "sha256": SHA256} | changes))


def put_wheel(index: Path, ratings: bytes = RATINGS) -> Wheel:
    """A wheel with a data file between code, as recbole has it, and the record that pins it."""
    info = "tinypack-1.0.dist-info"
    content = zipped(
        {
            "tinypack/__init__.py": b"raise SystemExit('never imported')",
            "tinypack/data/tiny.inter": ratings,
            "tinypack/data/other.txt": b"not wanted",
            f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tinypack\nVersion: 1.0\nRequires-Dist: torch==0.0.1\n",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
    )
    (index / "tinypack-1.0-py3-none-any.whl").write_bytes(content)
    pinned = {"tiny.inter": hashlib.sha256(ratings).hexdigest()}
    wheel_hash = hashlib.sha256(content).hexdigest()
    return Wheel("tinypack==1.0", "tinypack/data", pinned, len(content), wheel_hash)


def content(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != receipt.NAME)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


WANTED = {"u.data": RATINGS, "README": b"read me"}


def failing(code: str):
    def fail(*_, **__):
        number = getattr(errno, code)
        raise OSError(number, os.strerror(number))

    return fail
