"""The cache when files are damaged, disks are full or closed, and several processes fetch."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_server import RATINGS, SHA256, WANTED, archive, content, failing, put_wheel
from filelock import FileLock

from recsys_course import assets
from recsys_course.assets import AssetError, Wheel, integrity, receipt, store


@pytest.mark.parametrize("damage", ["tampered", "torn", "missing"])
def test_a_damaged_cached_file_is_refused_aloud_and_fetched_again(damage, fetched):
    data = fetched / "u.data"
    damaged = {"tampered": RATINGS.replace(b"5", b"4", 1), "torn": RATINGS[:-7], "missing": b""}[damage]
    data.write_bytes(damaged) if damage != "missing" else data.unlink()
    words = "u.data is missing" if damage == "missing" else "u.data is damaged: expected sha256 .*, found "
    with pytest.warns(UserWarning, match=words):
        assets.fetch("tiny")
    assert content(fetched) == WANTED


def test_a_big_file_is_compared_by_size_and_verify_hashes_it(fetched, monkeypatch):
    monkeypatch.setattr(receipt, "HASH_UP_TO", 1000)
    (fetched / "u.data").write_bytes(RATINGS.replace(b"5", b"4", 1))
    assets.fetch("tiny")  # no warning
    with pytest.raises(AssetError, match=r"u.data is damaged: expected sha256 .*, found .*it was removed"):
        assets.verify("tiny")
    assert not fetched.exists()


def test_a_torn_big_file_is_noticed_by_its_size(fetched, monkeypatch):
    monkeypatch.setattr(receipt, "HASH_UP_TO", 1000)
    (fetched / "u.data").write_bytes(RATINGS[:-7])
    with pytest.warns(UserWarning, match="u.data is damaged"):
        assets.fetch("tiny")


def test_verify_accepts_what_fetch_made(fetched):
    assert assets.verify("tiny") == fetched


def test_verify_of_what_was_never_fetched_says_how_to_fetch_it(cache, know):
    know()
    with pytest.raises(AssetError, match=r"tiny is not in .*`recsys-course data` fetches it"):
        assets.verify("tiny")


def test_no_receipt_can_vouch_for_a_file_that_the_record_pins(cache, index, know):
    know(put_wheel(index))
    folder = assets.fetch("tiny")
    (folder / "tiny.inter").write_bytes(b"forged")
    store.write_receipt(folder, "tinypack==1.0 (pip)")  # a receipt that fits the forgery
    with pytest.warns(UserWarning, match=r"tiny.inter is damaged"):
        assets.fetch("tiny")
    assert content(folder) == {"tiny.inter": RATINGS}


@pytest.mark.parametrize("text", ["", "[]", '{"source": "elsewhere", "files": {}}', '{"source": "127.0.0.1"}'])
def test_a_folder_without_a_valid_receipt_is_fetched_again(text, fetched):
    (fetched / receipt.NAME).write_text(text, encoding="utf-8")
    with pytest.warns(UserWarning, match="no valid"):
        assets.fetch("tiny")
    assert json.loads((fetched / receipt.NAME).read_text(encoding="utf-8"))["source"] == "127.0.0.1"


def test_the_cache_is_where_the_variable_says_and_else_in_the_platforms_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("RECSYS_COURSE_CACHE", str(tmp_path))
    assert assets.cache_dir() == tmp_path
    monkeypatch.setenv("RECSYS_COURSE_CACHE", "")
    assert "recsys-course" in assets.cache_dir().as_posix()


def test_an_unknown_name_is_answered_with_the_nearest_known_one():
    with pytest.raises(AssetError, match=r"no asset named 'ml-100': did you mean ml-100k?"):
        assets.fetch("ml-100")


def test_a_cache_below_a_file_is_one_sentence(tmp_path, monkeypatch, know):
    (tmp_path / "file").write_text("", encoding="utf-8")
    know()
    for path in (tmp_path / "file", tmp_path / "file" / "cache"):
        monkeypatch.setenv("RECSYS_COURSE_CACHE", str(path))
        with pytest.raises(AssetError, match=r"cannot be written \(.*\): set RECSYS_COURSE_CACHE to a folder"):
            assets.fetch("tiny")


@pytest.mark.parametrize("code", ["EROFS", "EACCES"])
def test_a_read_only_cache_is_one_sentence(code, cache, know, monkeypatch):
    know()
    monkeypatch.setattr(Path, "mkdir", failing(code))
    with pytest.raises(AssetError, match=r"cache cannot be written .*set RECSYS_COURSE_CACHE"):
        assets.fetch("tiny")


def test_a_read_only_cache_that_has_the_asset_is_only_read(fetched, monkeypatch):
    for owner, name in ((Path, "mkdir"), (FileLock, "acquire"), (shutil, "rmtree")):
        monkeypatch.setattr(owner, name, failing("EROFS"))
    assert assets.fetch("tiny") == fetched


def test_a_disk_that_fills_up_while_unpacking_is_one_sentence(server, cache, know, monkeypatch):
    know(archive(server.url("good")))
    monkeypatch.setattr(integrity.shutil, "copyfileobj", failing("ENOSPC"))
    with pytest.raises(AssetError, match=r"the disk that holds .*cache is full: free some space there, or set"):
        assets.fetch("tiny")
    assert not (cache / "tiny").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_disk_that_fills_up_while_downloading_is_one_sentence(server, cache, know):
    (cache / ".tiny.work").mkdir(parents=True)
    (cache / ".tiny.work" / "tiny.zip.part").symlink_to("/dev/full")
    know(archive(server.url("good")), archive(server.url("good")))
    with pytest.raises(AssetError, match="is full"):
        assets.fetch("tiny")
    assert len(server.paths) == 1  # another source would not help


def start_process(url: str) -> subprocess.Popen:
    code = f"""
from recsys_course.assets import ASSETS, Archive, Asset, fetch
source = Archive({url!r}, ("u.data", "README*"), sha256={SHA256!r})
ASSETS["tiny"] = Asset("tiny", "", "core", 0, "", "", (source,))
print("started", flush=True)
print(fetch("tiny"))
"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], **pipes)


def test_two_processes_at_once_end_with_one_good_copy_fetched_once(server, cache, know):
    processes = [start_process(server.url("slow")) for _ in range(2)]
    answers = [process.communicate(timeout=20) for process in processes]
    assert [out.split()[-1] for out, _ in answers] == [str(cache / "tiny")] * 2, answers
    assert len(server.paths) == 1
    know(archive(server.url("slow")))
    assert content(assets.verify("tiny")) == WANTED


def test_a_process_that_was_killed_in_the_middle_does_not_block_the_next(server, cache, know):
    with start_process(server.url("stalling")) as process:
        while not list(cache.glob(".tiny.work/tiny.zip.part")):
            time.sleep(0.02)
        process.kill()
    know(archive(server.url("good")))
    start = time.perf_counter()
    assert content(assets.fetch("tiny")) == WANTED
    assert time.perf_counter() - start < 2


def test_a_bundle_serves_a_machine_without_a_network(server, cache, know, tmp_path, monkeypatch):
    know(archive(server.url("good")))
    assert assets.bundle(tmp_path / "stick", ["tiny"]) == [tmp_path / "stick" / "tiny"]
    shutil.rmtree(cache)
    asked = len(server.paths)
    monkeypatch.setenv("RECSYS_COURSE_CACHE", str(tmp_path / "stick"))
    assert content(assets.fetch("tiny")) == WANTED
    assert content(assets.verify("tiny")) == WANTED
    assert len(server.paths) == asked


def test_a_bundle_holds_the_core_unless_told_otherwise(server, cache, know, tmp_path, monkeypatch):
    know(archive(server.url("good")), group="core")
    for name in [name for name in assets.ASSETS if name != "tiny"]:
        if assets.ASSETS[name].group == "core":
            monkeypatch.delitem(assets.ASSETS, name)
    assert [path.name for path in assets.bundle(tmp_path / "stick")] == ["tiny"]


def test_a_damaged_bundle_is_replaced_by_a_good_one(fetched, tmp_path):
    assets.bundle(tmp_path / "stick", ["tiny"])
    (tmp_path / "stick" / "tiny" / "u.data").write_bytes(b"torn")
    assets.bundle(tmp_path / "stick", ["tiny"])
    assert content(tmp_path / "stick" / "tiny") == WANTED


def test_a_bundle_for_a_full_stick_names_the_stick(fetched, tmp_path, monkeypatch):
    monkeypatch.setattr(store.shutil, "copytree", failing("ENOSPC"))
    with pytest.raises(AssetError, match=r"the disk that holds .*stick is full"):
        assets.bundle(tmp_path / "stick", ["tiny"])


def test_the_list_says_what_is_in_the_cache(fetched):
    cached = {line.name: line.cached for line in assets.list_assets()}
    assert cached == dict.fromkeys(assets.ASSETS, False) | {"tiny": True}


def test_every_record_is_complete_and_pinned_where_it_can_be():
    for name, asset in assets.ASSETS.items():
        assert name == asset.name
        assert asset.size and asset.licence and asset.provenance and asset.title and asset.sources
        for source in asset.sources:
            assert asset.group == "large" or len(source.sha256) == 64
            if isinstance(source, Wheel):
                assert source.requirement.count("==") == 1
                assert all(len(pinned) == 64 for pinned in source.files.values())


def test_the_notice_names_every_asset():
    notice = (Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8")
    assert [name for name in assets.ASSETS if f"({name})" not in notice] == []
