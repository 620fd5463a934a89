"""A claim prints one stable line or raises; the index finds each one in the source."""

import json
import math

import numpy as np
import pytest
import torch

from recsys_course import claims
from recsys_course.claims import ClaimFailed, claim, claim_value, collect


@pytest.fixture(autouse=True)
def nothing_claimed_yet(monkeypatch):
    monkeypatch.setattr(claims, "_TEXTS", {})


@pytest.mark.parametrize("true", [True, np.True_, torch.tensor(True), np.array([True]), torch.tensor(2.0) > 1])
def test_a_claim_that_holds_prints_one_line(true, capsys):
    claim("13.lightgcn-beats-mf", "LightGCN beats MF", true)
    assert capsys.readouterr().out == "✓ claim 13.lightgcn-beats-mf: LightGCN beats MF\n"


@pytest.mark.parametrize("false", [False, np.False_, torch.tensor(False), math.nan > 1])
def test_a_claim_that_does_not_hold_raises_two_lines(false):
    with pytest.raises(ClaimFailed) as failure:
        claim("13.lightgcn-beats-mf", "LightGCN beats MF", false)
    assert failure.value._render_traceback_() == [
        "✗ claim 13.lightgcn-beats-mf does not hold here: LightGCN beats MF (measured: not so).",
        "  Worth a look: changed data, another seed, other versions of the packages?",
    ]


@pytest.mark.parametrize("ok", [1, 0.3, math.nan, None, "yes", torch.tensor([True, True]), torch.tensor(1.0), []])
def test_a_claim_about_anything_but_one_truth_value_is_a_mistake(ok):
    with pytest.raises(TypeError, match=r"claim 02.a: ok must be one True or False"):
        claim("02.a", "text", ok)


@pytest.mark.parametrize("measured", [0.95, 0.93, np.float32(0.949), torch.tensor(0.94), torch.tensor([0.94]), 0.94])
def test_a_value_within_the_tolerance_prints_what_is_stated_and_not_what_is_measured(measured, capsys):
    claim_value("04.bias-rmse", measured, stated=0.94, tolerance=0.01, text="RMSE of the biases")
    assert capsys.readouterr().out == "✓ claim 04.bias-rmse: RMSE of the biases, 0.94 ± 0.01\n"


@pytest.mark.parametrize("measured", [0.9501, 0.9299, math.nan, math.inf, -0.94, torch.tensor(math.nan)])
def test_a_value_outside_the_tolerance_raises_and_says_what_was_measured(measured):
    with pytest.raises(ClaimFailed, match=r"0\.94 ± 0\.01 \(measured: (0\.9501|0\.9299|nan|inf|-0\.94)\)"):
        claim_value("04.bias-rmse", measured, stated=0.94, tolerance=0.01)


def test_whole_numbers_can_be_claimed_exactly():
    claim_value("01.n-ratings", 100_000, stated=100_000, tolerance=0)
    with pytest.raises(ClaimFailed):
        claim_value("01.n-ratings", 100_001, stated=100_000, tolerance=0)


@pytest.mark.parametrize("measured", [True, "0.94", None, torch.tensor([0.94, 0.94]), 0.94 + 0j])
def test_a_value_that_is_not_one_number_is_a_mistake(measured):
    with pytest.raises(TypeError, match="measured must be one number"):
        claim_value("04.bias-rmse", measured, stated=0.94, tolerance=0.01)


@pytest.mark.parametrize(("stated", "tolerance"), [(1, -1), (1, math.nan), (math.nan, 1), (1, math.inf)])
def test_an_interval_that_holds_nothing_or_everything_is_a_mistake(stated, tolerance):
    with pytest.raises(ValueError, match="is no interval"):
        claim_value("04.bias-rmse", 1, stated=stated, tolerance=tolerance)


@pytest.mark.parametrize("id", ["2.recall", "02", "02.Recall", "02.recall_at_k", "02.", "h06.few", "02.a--b", ""])
def test_a_malformed_id_is_refused(id):
    with pytest.raises(ValueError, match="is not like"):
        claim(id, "text", True)


@pytest.mark.parametrize("id", ["02.recall", "13.lightgcn-beats-mf", "H06.few-negatives", "SD5.72-devices"])
def test_ids_of_lessons_and_of_questions_are_fine(id):
    claim(id, "text", True)


def test_one_id_cannot_stand_for_two_texts():
    claim("02.a", "one", True)
    claim("02.a", "one", True)
    with pytest.raises(ValueError, match=r"claim 02.a stands for two texts: 'one' and 'two'"):
        claim("02.a", "two", True)
    with pytest.raises(ValueError, match="two texts"):
        claim_value("02.a", 1, stated=1, tolerance=0)


class TestCollect:
    @pytest.fixture
    def project(self, tmp_path):
        def write(path, text):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text, encoding="utf-8")
            return tmp_path

        return write

    def test_claims_are_found_in_lessons_and_proofs_in_order_of_their_ids(self, project):
        project("lessons/02_b.py", 'x = 1\nclaim("02.b", "one " "text", x > 0)\n')
        project(
            "lessons/01_a.py", 'import recsys_course as r\nr.claim_value("01.a", 1, 0.5, tolerance=-0.1, text="é")\n'
        )
        root = project("tests/claims/test_H06.py", 'def test_h():\n    claim(text="few", id="H06.few", ok=True)\n')
        project("tests/test_other.py", 'claim("09.elsewhere", "not looked at", True)\n')
        assert collect(root) == [
            {"id": "01.a", "text": "é, 0.5 ± -0.1", "kind": "value", "where": "lessons/01_a.py"},
            {"id": "02.b", "text": "one text", "kind": "claim", "where": "lessons/02_b.py"},
            {"id": "H06.few", "text": "few", "kind": "claim", "where": "tests/claims/test_H06.py"},
        ]

    def test_the_index_has_the_text_that_is_printed(self, project, capsys):
        source = 'claim_value("04.rmse", 0.9405, stated=0.94, tolerance=1e-3, text="RMSE")\n'
        (entry,) = collect(project("lessons/04_a.py", source))
        exec(source, {"claim_value": claim_value})
        assert capsys.readouterr().out == f"✓ claim {entry['id']}: {entry['text']}\n"

    @pytest.mark.parametrize(
        ("call", "complaint"),
        [
            ('claim(f"02.{x}", "text", True)', "the id of a claim must be written out"),
            ('claim("02.a", f"{x} wins", True)', "the text of a claim must be written out"),
            ('claim("02.a", text, True)', "the text of a claim must be written out"),
            ('claim("02.a")', "the text of a claim must be written out"),
            ('claim_value("02.a", 1, stated=x, tolerance=1)', "the stated of a claim must be written out"),
            ('claim("2.a", "text", True)', "malformed id '2.a'"),
        ],
    )
    def test_what_is_not_written_out_is_refused_with_file_and_line(self, project, call, complaint):
        with pytest.raises(ValueError, match=rf"lessons/02_a.py:2: {complaint}"):
            collect(project("lessons/02_a.py", f"\n{call}\n"))

    def test_one_id_in_two_places_is_refused(self, project):
        project("lessons/02_a.py", 'claim("02.a", "text", True)\n')
        root = project("tests/claims/test_a.py", '\n\nclaim("02.a", "text", True)\n')
        with pytest.raises(ValueError, match=r"tests/claims/test_a.py:3: claim 02.a is also in lessons/02_a.py"):
            collect(root)


def test_the_index_is_read_from_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "__file__", str(tmp_path / "claims.py"))
    with pytest.raises(FileNotFoundError, match=r"claims.json is missing: tools/build.py writes it"):
        claims.index()
    entries = [{"id": "02.a", "text": "é", "kind": "claim", "where": "lessons/02_a.py"}]
    (tmp_path / "claims.json").write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
    assert claims.index() == entries
