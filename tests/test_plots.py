import matplotlib

matplotlib.use("agg")
import pytest

from recsys_course import metrics, models, plots
from recsys_course.data import Interactions, frozen_split


@pytest.fixture
def shown(monkeypatch):
    outputs = []
    monkeypatch.setattr(plots, "display", lambda output, **options: outputs.append((output, options)))
    return outputs


def evaluations():
    ratings = Interactions.from_events([u for u in range(6) for _ in range(8)], [i for _ in range(6) for i in range(8)])
    split = frozen_split(ratings, "random")
    return [metrics.evaluate(model.fit(split.train), split.test) for model in (models.Random(), models.Popularity())]


def test_show_gives_the_picture_its_words_and_a_caption(shown):
    figure, panel = plots.axes()
    panel.plot([1, 2])
    plots.show(figure, alt="A line that rises.")
    (bundle, options), (caption, _) = shown
    assert bundle["image/png"].startswith(b"\x89PNG") and bundle["text/plain"] == "Picture: A line that rises."
    assert options["metadata"]["image/png"]["alt"] == "A line that rises."
    assert "A line that rises." in caption.data


def test_the_same_figure_gives_the_same_bytes(shown):
    for _ in range(2):
        figure, panel = plots.axes()
        panel.plot([1, 2])
        plots.show(figure, alt="A line.")
    assert shown[0][0]["image/png"] == shown[2][0]["image/png"]


def test_show_closes_the_figure(shown):
    before = len(matplotlib.pyplot.get_fignums())
    plots.show(plots.axes()[0], alt="Nothing.")
    assert len(matplotlib.pyplot.get_fignums()) == before


def test_intervals_name_every_model_best_on_top():
    figure, panel = plots.axes()
    rows = evaluations()
    plots.intervals(panel, rows, "ndcg")
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == [row.model for row in sorted(rows, key=lambda row: row.mean("ndcg"))]
    assert panel.get_xlabel() == "ndcg@10"
    matplotlib.pyplot.close(figure)


def test_every_model_of_the_package_has_its_own_colour():
    colours = [plots.colour(name) for name in models.__all__]
    assert len(set(colours)) == len(colours) and plots.colour("Unknown") not in colours
    assert plots.colour("EASE with a fall-back") == plots.colour("EASE")
