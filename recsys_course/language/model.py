"""A pre-trained language model as three functions: the next token, how likely a text is, and text that goes on."""

import copy
from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from recsys_course.assets import fetch
from recsys_course.language.weights import faster_dtype, load

BLOCK = 32  # suffixes that pass through the network at one time


class LanguageModel:
    """A decoder-only Transformer with its tokenizer; the weights are loaded when they are first needed.

    What several prompts begin with (``prefix``) is computed once: its keys and values are kept, and only what
    differs (``suffixes``) passes through the network. The prefix is cut into tokens apart from the rest, so let it
    end where a token ends: with a line.

    Attributes:
        name: of an asset that holds one GGUF file.
        dtype: of the arithmetic; without it bfloat16 where this processor is faster with it, else float32.
        passed: how many tokens have passed through the network so far.
    """

    def __init__(self, name: str = "smollm2-135m-instruct", dtype: torch.dtype | None = None) -> None:
        self.name, self.dtype, self.passed = name, dtype, 0

    @cached_property
    def _loaded(self) -> tuple:
        return load(fetch(self.name), self.dtype or faster_dtype())

    @property
    def network(self):
        """The ``transformers.LlamaForCausalLM``, in evaluation mode, on the GPU where there is one.

        Raises:
            AssetError: the model is not in the cache and cannot be fetched.
        """
        return self._loaded[0]

    @property
    def tokenizer(self):
        """The model's own tokenizer."""
        return self._loaded[1]

    def tokens(self, text: str) -> Tensor:
        """Token ids of a text: int64 ``[length]``, on the CPU."""
        return torch.tensor(self.tokenizer(text, add_special_tokens=False)["input_ids"], dtype=torch.int64)

    def chat(self, request: str) -> str:
        """The request in the form that the model was tuned on, ready for its answer to follow."""
        turns = [{"role": "user", "content": request}]
        return self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)

    @torch.no_grad()
    def next_token(self, prefix: str, suffixes: Sequence[str]) -> Tensor:
        """Logarithm of each token's chance to come next, after the prefix and each suffix.

        Args:
            prefix: what all prompts begin with; computed once.
            suffixes: how they go on, none of them empty.

        Returns:
            Float ``[n_suffixes, n_tokens]``, on the CPU.

        Raises:
            ValueError: a suffix is empty, or a prompt is longer than the model can read.
        """
        ids = [self.tokens(suffix) for suffix in suffixes]
        found = []
        for hidden, some in self._states(self.tokens(prefix), ids):
            last = hidden[torch.arange(len(some)), torch.tensor([len(one) - 1 for one in some])]  # [batch, dim]
            found.append(self._log_chances(last))
        return torch.cat(found).cpu()

    def option_scores(self, prefix: str, suffixes: Sequence[str], options: Sequence[str]) -> Tensor:
        """Logarithm of each option's chance to be the answer, as if nothing else could be said.

        Args:
            prefix: what all prompts begin with.
            suffixes: how they go on.
            options: texts of one token each, such as ``" A"``.

        Returns:
            Float ``[n_suffixes, n_options]``; the chances in a row add up to 1.

        Raises:
            ValueError: an option is not one token, or as ``next_token``.
        """
        ids = [self.tokens(option) for option in options]
        if wrong := [option for option, one in zip(options, ids, strict=True) if len(one) != 1]:
            raise ValueError(f"option {wrong[0]!r} is not one token of this model: use letters or digits")
        return self.next_token(prefix, suffixes)[:, torch.cat(ids)].log_softmax(dim=1)

    @torch.no_grad()
    def log_likelihood(self, prefix: str, texts: Sequence[str]) -> Tensor:
        """Logarithm of the chance that the prefix goes on with each text: float ``[n_texts]``, on the CPU.

        Raises:
            ValueError: the prefix or a text is empty, or both together are longer than the model can read.
        """
        lead, ids = self.tokens(prefix), [self.tokens(text) for text in texts]
        _refuse_empty([lead, *ids])
        shifted, found = [torch.cat([lead[-1:], one[:-1]]) for one in ids], []
        for hidden, some in self._states(lead[:-1], shifted):
            chances = self._log_chances(hidden)  # [batch, longest, n_tokens]
            texts_here = ids[len(found) : len(found) + len(some)]
            found += [chances[row, torch.arange(len(one)), one].sum() for row, one in enumerate(texts_here)]
        return torch.stack(found).cpu()

    @torch.no_grad()
    def generate(self, prompt: str, max_new: int = 60) -> str:
        """What the model says next, always its likeliest token, until it ends or has said ``max_new`` tokens.

        Raises:
            ValueError: the prompt is empty, or prompt and answer are longer than the model can read.
        """
        ids = self.tokens(prompt)
        _refuse_empty([ids])
        self._refuse_long(len(ids) + max_new)
        said, cache, step = [], None, ids.to(self.network.device).unsqueeze(0)  # [1, length]
        while len(said) < max_new:
            self.passed += step.shape[1]
            output = self.network(step, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache, step = output.past_key_values, output.logits.argmax(dim=2)  # [1, 1]
            if int(step) == self.tokenizer.eos_token_id:
                break
            said.append(int(step))
        return self.tokenizer.decode(said)

    def _log_chances(self, hidden: Tensor) -> Tensor:
        return self.network.lm_head(hidden).float().log_softmax(dim=-1)

    def _states(self, lead: Tensor, rows: list[Tensor]) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Last hidden states ``[batch, longest, dim]`` of some rows behind the lead, and these rows.

        Rows are filled up on the right: a causal model looks to the left only, so that nothing else changes.
        """
        _refuse_empty(rows)
        self._refuse_long(len(lead) + max(map(len, rows)))
        decoder, home, prefix = self.network.model, self.network.device, None
        if len(lead):
            prefix = decoder(lead.to(home).unsqueeze(0), use_cache=True).past_key_values
        self.passed += len(lead) + sum(map(len, rows))
        for start in range(0, len(rows), BLOCK):
            some, cache = rows[start : start + BLOCK], copy.deepcopy(prefix)
            if cache:
                cache.batch_repeat_interleave(len(some))
            ids = pad_sequence(some, batch_first=True).to(home)  # [batch, longest]
            yield decoder(ids, past_key_values=cache, use_cache=bool(cache)).last_hidden_state, some

    def _refuse_long(self, length: int) -> None:
        longest = self.network.config.max_position_embeddings
        if length > longest:
            raise ValueError(
                f"prompt and answer are {length:,} tokens long and the model reads {longest:,}: shorten the history "
                "or name fewer candidates"
            )


def _refuse_empty(texts: list[Tensor]) -> None:
    if not texts or not all(map(len, texts)):
        raise ValueError("a prompt is empty: a language model needs at least one token to go on from")
