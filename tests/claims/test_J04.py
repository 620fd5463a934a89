"""What the answer to J04 (a text encoder for recommendation) states."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import cosine_similarity, mse_loss, normalize

from recsys_course import claim


def test_unpacking_gives_names(minilm):
    network, tokenizer = minilm
    with torch.inference_mode():
        first, pooled = network(**tokenizer("Alien (1979)", return_tensors="pt"))
    with pytest.raises(TypeError):
        nn.Linear(384, 1)(pooled)
    claim(
        "J04.string",
        "_, pooled = bert(...) gives the strings 'last_hidden_state' and 'pooler_output', and the next layer raises",
        (first, pooled) == ("last_hidden_state", "pooler_output"),
    )


def test_ratings_are_no_probabilities():
    loss = [float(bce(torch.tensor([x]), torch.tensor([5.0]))) for x in (0.0, 8.0, 80.0)]
    claim(
        "J04.ratings",
        "Binary cross-entropy with the label 5: 0.69 at a logit of 0, -32 at 8, -320 at 80; no error",
        abs(loss[0] - 0.693) < 0.001 and abs(loss[1] + 32) < 0.01 and abs(loss[2] + 320) < 0.01,
    )


def test_two_shapes_of_the_same_numbers():
    labels = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])
    column = labels[:, None].clone()
    with pytest.raises(ValueError, match="must be the same as input size"):
        bce(column, labels)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        perfect, constant = float(mse_loss(column, labels)), float(mse_loss(torch.full((5, 1), 0.6), labels))
    claim(
        "J04.shapes",
        "Outputs [5, 1] against labels [5]: BCE raises; the squared error warns, compares each with each, and prefers "
        "the mean of the labels, 0.24, to perfect answers, 0.48",
        len(said) > 0 and abs(perfect - 0.48) < 1e-6 and abs(constant - 0.24) < 1e-6,
    )


def test_training_mode_encodes_a_text_differently_each_time(minilm):
    network, tokenizer = minilm
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    network.train()
    with torch.inference_mode():
        batch = tokenizer(["Alien (1979): Horror, Sci-Fi"] * 2, return_tensors="pt")
        one, two = network(**batch).last_hidden_state.mean(1)
    network.eval()
    torch.random.set_rng_state(state)
    cosine = float(cosine_similarity(one, two, dim=0))
    claim("J04.dropout", "In training mode, one text twice in a batch: cosine 0.94", abs(cosine - 0.94) < 0.02)


@pytest.fixture(scope="module")
def found(films, film_vectors, by_hand, random_splits):
    """Share of the ten films most liked with each film that its ten neighbours hit, ``[300]``, in three ways.

    By text; by text and by hand after a ridge to factors of the likes that never saw the film.
    """
    likes = torch.from_numpy(random_splits[0].train.positives().matrix().toarray()[:, films.items.numpy()]).float()
    together = (likes.T @ likes) / likes.sum(0).outer(likes.sum(0)).sqrt().clamp(min=1)
    text = film_vectors[0] - film_vectors[0].mean(0)
    fold = torch.randint(5, (300,), generator=torch.Generator().manual_seed(0))
    hits = {name: torch.empty(300) for name in ("text", "mapped", "by hand")}
    for f in range(5):
        cold, warm = (fold == f).nonzero().squeeze(1), (fold != f).nonzero().squeeze(1)
        best = together[cold][:, warm].topk(10).indices  # what people who like the cold film also like
        _, size, right = torch.linalg.svd(normalize(likes[:, warm], dim=0), full_matrices=False)
        factors = normalize(right[1:17].T * size[1:17], dim=1)  # without the first direction, popularity
        spaces = {"text": (text[cold], text[warm])}
        for name, known in (("mapped", text), ("by hand", by_hand)):
            x = known[warm]
            ridge = torch.linalg.solve(x.T @ x + torch.eye(x.shape[1]), x.T @ factors)
            spaces[name] = known[cold] @ ridge, factors
        for name, (asked, answers) in spaces.items():
            top = (normalize(asked, dim=1) @ normalize(answers, dim=1).T).topk(10).indices
            hits[name][cold] = (top[:, :, None] == best[:, None]).any(2).float().mean(1)
    return hits


def gain(better, worse):
    """Mean difference, and how far its 95 % interval reaches to each side."""
    return float((better - worse).mean()), float(1.96 * (better - worse).std() / len(worse) ** 0.5)


def test_behaviour_teaches_a_frozen_encoder_something_about_films_it_never_met(found):
    up, width = gain(found["mapped"], found["text"])
    claim(
        "J04.aligned",
        "300 films, each new to the map: of the ten films most liked with it 18 % are among ten neighbours by text and "
        "26 % after a ridge to 16 factors of the likes; gain 8.2 points, 95 % interval 2.0 to each side",
        abs(float(found["text"].mean()) - 0.183) < 0.005 and abs(up - 0.082) < 0.008 and abs(width - 0.020) < 0.002,
    )
    ahead, width = gain(found["mapped"], found["by hand"])
    claim(
        "J04.by-hand",
        "The same ridge from genres and year without an encoder: 24 %; the text is ahead by 2.6 points, 95 % interval "
        "2.0 to each side",
        abs(float(found["by hand"].mean()) - 0.238) < 0.005 and abs(ahead - 0.026) < 0.006 and ahead > width,
    )
