"""The weights of a GGUF file: unpacked once, kept in the course's cache, loaded in the faster arithmetic."""

import io
import os
import time
import warnings
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import torch

from recsys_course.assets import cache_dir
from recsys_course.base import device


def load(folder: Path, dtype: torch.dtype) -> tuple:
    """The network, in evaluation mode on the device, and the tokenizer of an asset with one GGUF file.

    Reading a GGUF file takes Python about 15 seconds. So the unpacked weights are kept, in bfloat16, in the folder
    ``unpacked`` of the cache; from there they load in one second. Where nothing can be kept, it goes on without.
    """
    kept = cache_dir() / "unpacked" / folder.name
    ready = (kept / "config.json").exists()
    source = {} if ready else {"gguf_file": next(folder.glob("*.gguf")).name}
    with _quiet_library() as transformers:
        where, wanted = (kept, dtype) if ready else (folder, torch.bfloat16)
        network = transformers.AutoModelForCausalLM.from_pretrained(where, dtype=wanted, **source)
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **source)
    if not ready:
        _keep(network, tokenizer, kept)
    return network.eval().to(device(), dtype), tokenizer


def faster_dtype() -> torch.dtype:
    """Bfloat16 where this processor multiplies matrices faster in it, else float32; on a GPU float32.

    Old processors know no bfloat16 and are many times slower with it, newer ones a few times faster.
    """
    if device().type != "cpu":
        return torch.float32
    seconds = {dtype: _seconds_of_product(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return min(seconds, key=seconds.get)


def _seconds_of_product(dtype: torch.dtype) -> float:
    a, b = torch.ones(128, 576, dtype=dtype), torch.ones(576, 1536, dtype=dtype)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _keep(network, tokenizer, target: Path) -> None:
    """Write the unpacked model under another name, then rename it: nobody ever reads half of one."""
    from safetensors.torch import save_model

    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        half.mkdir(parents=True, exist_ok=True)
        tokenizer.save_pretrained(half)
        save_model(network, str(half / "model.safetensors"), metadata={"format": "pt"})
        config = network.config.to_dict()
        config.pop("quantization_config", None)
        type(network.config)(**config).save_pretrained(half)
        half.rename(target)
    except OSError as error:
        if not target.exists():  # else another process was faster
            warnings.warn(f"{target.name} was not kept unpacked ({error}): it loads slowly", stacklevel=3)


@contextmanager
def _quiet_library():
    """The library without its progress bars and remarks, which a stored notebook would show."""
    with redirect_stderr(io.StringIO()):
        import transformers
        from transformers.utils import logging

        shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        try:
            yield transformers
        finally:
            logging.set_verbosity(level)
            if shown:
                logging.enable_progress_bar()
