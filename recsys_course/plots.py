"""The plots that several lessons share: one colour a model, direct labels, and words for who cannot see the picture."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from IPython.display import Markdown, display

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from recsys_course.metrics import Evaluation

# Okabe and Ito's palette, then Tol's muted one, which colour-blind readers can tell apart when there is a label beside
# the colour; the same model has the same colour everywhere.
COLOURS = {
    "Random": "#999999",
    "Popularity": "#E69F00",
    "ItemKNN": "#009E73",
    "EASE": "#0072B2",
    "IALS": "#56B4E9",
    "BPR": "#CC79A7",
    "UserKNN": "#117733",
    "RatingKNN": "#44AA99",
    "MF": "#882255",
    "ALS": "#999933",
    "TwoTower": "#332288",
    "BertRecommender": "#AA4499",
    "MarkovChain": "#661100",
    "GRU4Rec": "#6699CC",
    "SASRec": "#CC6677",
    "BERT4Rec": "#DDCC77",
    "MultiInterest": "#88CCEE",
    "LightGCN": "#004488",
    "GraphSAGE": "#BB5566",
    "GAT": "#DDAA33",
    "GFCF": "#225522",
    "ContentMap": "#EE7733",
    "DropoutNet": "#009988",
    "Blend": "#EE3377",
    "Recent": "#AA6E28",
    "SemanticGenerator": "#CCBB44",
}
HIGHLIGHT, OTHERS = "#D55E00", "#BBBBBB"


def colour(model: str) -> str:
    """The colour of a model, by the first word of its name."""
    return COLOURS.get(model.split()[0], "#333333")


def show(figure: "Figure", alt: str) -> None:
    """Display a figure once, at a modest size, and below it in words what it shows.

    The words are the image's alternative text for exporters that know one, and a caption for everybody else:
    JupyterLab drops the alternative text of a picture.

    Args:
        figure: a matplotlib figure; it is closed afterwards.
        alt: the finding, in a sentence or two.
    """
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=90, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    data = {"image/png": image.getvalue(), "text/plain": f"Picture: {alt}"}
    display(data, raw=True, metadata={"image/png": {"alt": alt}})
    display(Markdown(f"*In words: {alt}*"))


def axes(width: float = 7.0, height: float = 3.6, columns: int = 1):
    """A figure and its axes (one, or an array of ``columns``) without the frame lines that carry no information."""
    figure, panels = plt.subplots(1, columns, figsize=(width, height), constrained_layout=True)
    for panel in [panels] if columns == 1 else panels:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, panels


def intervals(panel, evaluations: Sequence["Evaluation"], metric: str, title: str = "") -> None:
    """A dot and its 95 % interval for each model, the best on top, labelled with its name and value."""
    ranked = sorted(evaluations, key=lambda e: e.mean(metric))
    furthest = max((e.interval(metric).high for e in ranked), default=0.0)
    for row, evaluation in enumerate(ranked):
        mean, low, high = evaluation.interval(metric)
        panel.plot([low, high], [row, row], color=colour(evaluation.model), linewidth=3, solid_capstyle="round")
        panel.plot(mean, row, "o", color=colour(evaluation.model), markersize=8)
        place = "center" if mean > 0.06 * furthest else "left"  # a centred label would lie across the axis
        panel.annotate(f"{mean:.3f}", (mean, row), xytext=(0, 8), textcoords="offset points", ha=place, fontsize=9)
    panel.set_yticks(range(len(ranked)), [e.model for e in ranked])
    panel.set(xlabel=f"{metric}@{ranked[0].k}", title=title, xlim=(0, None), ylim=(-0.5, len(ranked) - 0.2))
