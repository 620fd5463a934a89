"""A pre-trained BERT as a function from texts to vectors."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from recsys_course.assets import fetch
from recsys_course.base import device
from recsys_course.text.memory import remembered
from recsys_course.text.pooling import pad, pool
from recsys_course.text.texts import check_texts

POOLINGS = ("mean", "cls", "pooler")


class TextEncoder:
    """A pre-trained BERT as a function from texts to vectors; the weights are loaded when they are first needed.

    Attributes:
        name: of an asset; or a ``Path``, the folder of any BERT with its tokenizer.
        pooling: ``mean`` of the tokens, ``cls``, or ``pooler``, the head that was pre-trained for another task.
        max_tokens: what stands behind this many tokens is not read.
        n_layers: use the first layers only; all without it.

    Raises:
        ValueError: there is no such pooling.
    """

    def __init__(
        self,
        name: str | Path = "all-minilm-l6-v2",
        pooling: str = "mean",
        max_tokens: int = 256,
        n_layers: int | None = None,
    ) -> None:
        if pooling not in POOLINGS:
            raise ValueError(f"there is no pooling {pooling!r} for whole texts: choose one of {', '.join(POOLINGS)}")
        self.name, self.pooling, self.max_tokens, self.n_layers = name, pooling, max_tokens, n_layers

    @cached_property
    def folder(self) -> Path:
        """Where the model's files are; fetches them the first time.

        Raises:
            AssetError: they are not in the cache and cannot be fetched.
            ValueError: the model cannot read ``max_tokens``, or has fewer than ``n_layers``.
        """
        folder = self.name if isinstance(self.name, Path) else fetch(self.name)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        longest, layers = config["max_position_embeddings"], config["num_hidden_layers"]
        if not 3 <= self.max_tokens <= longest:
            raise ValueError(f"max_tokens must lie in 3 to {longest}, what this model can read; got {self.max_tokens}")
        if self.n_layers is not None and not 1 <= self.n_layers <= layers:
            raise ValueError(f"n_layers must lie in 1 to {layers}, what this model has; got {self.n_layers}")
        return folder

    @cached_property
    def tokenizer(self):
        """The model's own ``transformers.BertTokenizer``."""
        return _transformers().BertTokenizer.from_pretrained(self.folder)

    @cached_property
    def network(self):
        """The ``transformers.BertModel``, in evaluation mode, on the GPU where there is one."""
        library = _transformers()
        logging = library.utils.logging
        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        network = library.BertModel.from_pretrained(self.folder).eval().to(device())
        if shown:
            logging.enable_progress_bar()
        network.encoder.layer = network.encoder.layer[: self.n_layers]
        network.config.num_hidden_layers = len(network.encoder.layer)
        self._untouched = _hash_of_parameters(network)
        return network

    @property
    def version(self) -> str:
        """A hash of the model's files, or of its network's parameters where these have been changed since."""
        if "network" not in vars(self):
            return self._version_of_files
        found = _hash_of_parameters(self.network)
        return self._version_of_files if found == getattr(self, "_untouched", None) else found

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, from ``[CLS]`` to ``[SEP]``, at most ``max_tokens`` of them; ``[n]`` lists.

        Warns where a text is cut, and where the vocabulary knows nothing of it.

        Raises:
            ValueError: a text is empty or no text at all.
        """
        check_texts(texts)
        found = self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)
        cut = [row for row, encoding in enumerate(found.encodings) if encoding.overflowing]
        if cut:
            advice = f"only the first {self.max_tokens} are read"
            warnings.warn(f"{_some_texts(cut)} more than {self.max_tokens} tokens: {advice}", stacklevel=2)
        nothing = {self.tokenizer.unk_token_id}
        unread = [row for row, ids in enumerate(found["input_ids"]) if set(ids[1:-1]) <= nothing]
        if unread:
            advice = "such vectors say nothing (MultilingualEncoder reads 16 languages)"
            warnings.warn(f"{_some_texts(unread)} no token that this vocabulary knows: {advice}", stacklevel=2)
        return found["input_ids"]

    def embed(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Run the network on one padded batch and pool, with gradients where they are switched on.

        Args:
            ids: token ids, int64 ``[batch, length]``.
            mask: true where a token stands, bool ``[batch, length]``.

        Returns:
            Float ``[batch, dim]``, not normalised, on the network's device.
        """
        home = self.network.device
        output = self.network(input_ids=ids.to(home), attention_mask=mask.to(home))
        if self.pooling == "pooler":
            return output.pooler_output
        return pool(output.last_hidden_state, mask.to(home), self.pooling)

    def encode(
        self, texts: Sequence[str], *, batch_tokens: int = 2048, progress: bool = True, cache: bool = True
    ) -> Tensor:
        """A vector for each text, in the order of the texts, not normalised.

        Texts of about the same length share a batch, so that there is little padding to compute.

        Args:
            texts: none of them empty; equal ones are computed once.
            batch_tokens: most places in one batch, padding included; one text is always let through.
            progress: show a bar while computing.
            cache: keep each vector by the hashes of its text and of the model, and look there first.

        Returns:
            Float32 ``[n, dim]`` on the CPU.

        Raises:
            AssetError: the model is not in the cache and cannot be fetched.
            ValueError: there is no text, or a text is empty or no text at all.

        >>> TextEncoder().encode(["Toy Story (1995)", "Heat (1995)"]).shape
        torch.Size([2, 384])
        """
        check_texts(texts)

        def compute(some: list[str]) -> Tensor:
            return self._compute(some, batch_tokens, progress)

        if not cache:
            return compute(list(texts))
        settings = json.dumps([self.version, self.pooling, self.max_tokens, self.n_layers])
        return remembered(texts, f"{Path(self.name).name}-{self.pooling}", settings, compute)

    @torch.no_grad()
    def _compute(self, texts: list[str], batch_tokens: int, progress: bool) -> Tensor:
        tokens, network = self.tokenize(texts), self.network
        found, training = torch.empty(len(texts), network.config.hidden_size), network.training
        quiet = not progress or bool(os.environ.get("TQDM_DISABLE"))
        network.eval()  # dropout would give another vector every time
        try:
            with tqdm(total=len(texts), desc="encoding", unit="text", leave=False, disable=quiet) as bar:
                for rows in _batches([len(ids) for ids in tokens], batch_tokens):
                    found[rows] = self.embed(*pad([tokens[row] for row in rows])).float().cpu()
                    bar.update(len(rows))
        finally:
            network.train(training)
        return found

    @cached_property
    def _version_of_files(self) -> str:
        files = sorted(path for path in self.folder.glob("[!.]*") if path.suffix in {".json", ".safetensors", ".txt"})
        found = hashlib.sha256()
        for path in files:
            found.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
        return found.hexdigest()


def _transformers():
    """The library, without the complaint that a notebook has no widgets for the progress bars of its downloads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import tqdm.auto  # noqa: F401
        import transformers.utils.logging
    return transformers


def _some_texts(rows: list[int]) -> str:
    return f"{len(rows)} text{'s have' if len(rows) > 1 else ' has'} (the first is texts[{rows[0]}])"


def _batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Rows of texts, the longest first; rows times longest length is at most ``batch_tokens``, or one row."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // lengths[order[start]])
        yield order[start : start + size]
        start += size


def _hash_of_parameters(network: torch.nn.Module) -> str:
    found = hashlib.sha256()
    for name, value in network.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().view(torch.uint8).numpy())
    return found.hexdigest()
