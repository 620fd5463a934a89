"""What the answer to M05 (item features from a pre-trained encoder) states."""

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from torch.nn.functional import cosine_similarity, normalize

from recsys_course import claim
from recsys_course.data.movielens import movielens


def neighbours(vectors, n=10):
    unit = normalize(vectors, dim=1)
    return (unit @ unit.T).fill_diagonal_(-2).topk(n).indices


def overlap(first, second):
    """Share of the neighbours in one table that are also in the other, row by row."""
    return float((first[:, :, None] == second[:, None]).any(2).float().mean())


def pair_cosines(vectors):
    unit = normalize(vectors, dim=1)
    rows, columns = torch.triu_indices(len(unit), len(unit), 1)
    return (unit @ unit.T)[rows, columns]


@pytest.fixture(scope="module")
def pooled(minilm, films):
    """Vectors by the pooler, the first token, the mean with padding and the mean without, all texts padded alike."""
    network, tokenizer = minilm
    batch = tokenizer(films.texts, padding=True, return_tensors="pt")
    there = batch["attention_mask"].unsqueeze(2).float()
    with torch.inference_mode():
        out = [network(**{name: part[rows] for name, part in batch.items()}) for rows in torch.arange(300).split(50)]
    states, pooler = (torch.cat([part[name] for part in out]) for name in ("last_hidden_state", "pooler_output"))
    return pooler, states[:, 0], states.mean(1), (states * there).sum(1) / there.sum(1)


def test_how_the_tokens_are_pooled(pooled, liked_together):
    above = [float((pair_cosines(v) >= 0.5).float().mean()) for v in pooled]
    met = [overlap(neighbours(v), liked_together) for v in pooled]
    claim(
        "M05.pooling",
        "The 300 most rated films, title and genres, pairs with a cosine of 0.5 or more: pooler 96 %, first token 99 "
        "%, mean with the padding 66 %, mean without 8 %",
        np.allclose(above, [0.96, 0.99, 0.66, 0.08], atol=0.01),
    )
    claim(
        "M05.neighbours",
        "Of their ten nearest by text so many are among the ten most liked together: pooler 12 %, first token 12 %, "
        "mean with the padding 15 %, mean without 16 %; by chance 3 %",
        np.allclose(met, [0.123, 0.124, 0.151, 0.162], atol=0.005) and round(10 / 299, 2) == 0.03,
    )


@torch.inference_mode()
def encode(minilm, texts, masked=True):
    network, tokenizer = minilm
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    there = batch["attention_mask"].unsqueeze(2).float()
    if not masked:
        batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
        there = torch.ones_like(there)
    states = network(**batch).last_hidden_state
    return (states * there).sum(1) / there.sum(1)


def test_a_text_must_not_depend_on_its_neighbours_in_the_batch(minilm):
    short, long = "Alien (1979): Horror, Sci-Fi", "A long description of something else. " * 8
    alone = encode(minilm, [short])[0]
    beside = {masked: encode(minilm, [short, long], masked)[0] for masked in (True, False)}
    cosine = {masked: float(cosine_similarity(alone, v, dim=0)) for masked, v in beside.items()}
    claim(
        "M05.padding",
        "One title alone and beside a long text: cosine 1 with the mask, 0.37 without",
        cosine[True] > 0.9999 and abs(cosine[False] - 0.37) < 0.01,
    )


def without_stop_words(text):
    return " ".join(word for word in text.split() if word.lower().strip(",.!?'") not in ENGLISH_STOP_WORDS)


def test_taking_out_stop_words_takes_out_sense(minilm):
    titles = list(movielens().items["title"])
    empty = [title for title in titles if not without_stop_words(title.replace("(", " ("))]
    pair = ("not funny at all", "funny")
    vectors = encode(minilm, pair)
    cosine = float(cosine_similarity(vectors[0], vectors[1], dim=0))
    claim(
        "M05.stop-words",
        "A common list of stop words turns 'not funny at all' into 'funny', whose cosine was 0.52, and leaves nothing "
        "of 11 film titles, To Be or Not to Be and Being There among them",
        {without_stop_words(text) for text in pair} == {"funny"}
        and abs(cosine - 0.52) < 0.01
        and len(empty) == 11
        and {"To Be or Not to Be", "Being There"} < set(empty),
    )


def test_what_stands_behind_the_limit_is_not_read(minilm):
    _, tokenizer = minilm
    plot = "He walks and talks and walks again. " * 60
    first, second = (
        tokenizer(plot + genre, truncation=True, max_length=256)["input_ids"] for genre in ("Horror", "Comedy")
    )
    before = [
        tokenizer(genre + plot, truncation=True, max_length=256)["input_ids"] for genre in ("Horror. ", "Comedy. ")
    ]
    claim(
        "M05.order-of-fields",
        "With 256 tokens at most, a genre behind a plot of 480 words leaves no trace; in front of it, it does",
        first == second and before[0] != before[1] and len(first) == 256,
    )


def test_likes_are_no_tokens(minilm):
    _, tokenizer = minilm
    names = tokenizer.convert_ids_to_tokens([0, 1])
    claim(
        "M05.multi-hot",
        "A row of likes such as 1, 0, 0, 1 read as token ids means [unused0] and [PAD]",
        names == ["[PAD]", "[unused0]"],
    )


def test_tensors_of_another_framework_are_refused(minilm):
    _, tokenizer = minilm
    with pytest.raises(ValueError, match="tf"):
        tokenizer(["Alien"], return_tensors="tf")
    claim("M05.tf", "The tokenizer refuses return_tensors='tf'", True)


def test_fewer_numbers_after_the_encoder(pooled, liked_together):
    vectors = normalize(pooled[3], dim=1)
    centred = vectors - vectors.mean(0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    kept = {dim: centred @ directions[:dim].T for dim in (16, 64)}
    same = {dim: overlap(neighbours(v), neighbours(centred)) for dim, v in kept.items()}
    useful = {dim: overlap(neighbours(v), liked_together) for dim, v in kept.items()}
    claim(
        "M05.pca",
        "Of the ten nearest films 89 % stay with 64 of 384 principal directions, 69 % with 16; the share liked "
        "together is 17 and 18 %, not below that of all 384",
        abs(same[64] - 0.89) < 0.01
        and abs(same[16] - 0.69) < 0.01
        and abs(useful[64] - 0.172) < 0.005
        and abs(useful[16] - 0.176) < 0.005
        and min(useful.values()) > overlap(neighbours(vectors), liked_together),
    )


@torch.inference_mode()
def test_a_cosine_along_the_tokens_is_no_similarity_of_texts(minilm):
    network, tokenizer = minilm
    one, two = (network(**tokenizer(t, return_tensors="pt"))[0] for t in ("Alien (1979)", "Aliens (1986)"))
    found = cosine_similarity(one, two)
    with pytest.raises(RuntimeError, match="ambiguous"):
        bool(found >= 0.5)
    first = one.mean(1)
    listed = [row for row, _ in zip(first.tolist(), [0.9], strict=True)]
    claim(
        "M05.axis",
        "cosine_similarity of two model(...)[0] gives 384 numbers for a pair of texts, and comparing them with 0.5 in "
        "an if raises; zip over vector.tolist() recommends a list of 384 numbers, not an item",
        found.shape == (1, 384) and len(listed[0]) == 384,
    )
