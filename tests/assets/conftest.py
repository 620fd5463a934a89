"""The cache, the server, the index and the one known asset of these tests."""

import os
from pathlib import Path

import pytest
from fake_server import ZIP, Server, archive

from recsys_course import assets
from recsys_course.assets import Archive, Asset, Wheel, web


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(web, "CONNECT_S", 1.0)
    monkeypatch.setattr(web, "STALL_S", 0.4)
    server = Server()
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RECSYS_COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder that is pip's only package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def know(monkeypatch):
    """Adds an asset named tiny to the known ones."""

    def add(*sources: Archive | Wheel, group: str = "core") -> None:
        asset = Asset("tiny", "a tiny set", group, len(ZIP), "CC0", "this test", sources)
        monkeypatch.setitem(assets.ASSETS, "tiny", asset)

    return add


@pytest.fixture
def fetched(server, cache, know) -> Path:
    know(archive(server.url("good")))
    return assets.fetch("tiny")
