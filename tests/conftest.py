import pytest

pytest.register_assert_rewrite("contract")


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_the_learner(tmp_path_factory):
    """No test reads or writes the record of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_COURSE_STATE", str(tmp_path_factory.mktemp("state")))
        patch.setenv("TQDM_DISABLE", "1")
        yield


@pytest.fixture(autouse=True)
def state(_nothing_of_the_learner, tmp_path, monkeypatch):
    """A learner's record of its own for each test."""
    monkeypatch.setenv("RECSYS_COURSE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"
