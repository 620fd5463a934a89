"""What a request to a language model costs, before anything is bought: tokens and arithmetic."""

from typing import NamedTuple


class Cost(NamedTuple):
    """Attributes: ``read``, tokens that pass through at once; ``said``, one after another; ``flop``, operations."""

    read: int
    said: int
    flop: float


def request_cost(
    prefix: int, suffix: int, n_prompts: int = 1, said: int = 0, *, parameters: float, shared: bool = True
) -> Cost:
    r"""Tokens and floating-point operations of one request that asks ``n_prompts`` times.

    .. math:: 2 P \,(T_{read} + T_{said})

    with :math:`P` parameters: each multiplies and adds once for each token. Attention over earlier tokens is left out,
    which is fair while prompts are short. Reading the prompt yields the first token of an answer already, so that
    ``said`` tokens need ``said - 1`` more passes.

    Args:
        prefix: tokens that all prompts begin with.
        suffix: tokens of each prompt after that.
        n_prompts: how many prompts, such as orders of the candidates.
        said: length of each answer in tokens; 0 or 1 where the next token's chances are all that is read.
        parameters: of the model.
        shared: compute the prefix once (a KV cache) instead of for each prompt.

    Raises:
        ValueError: a number is negative, or there is no prompt.

    >>> request_cost(80, 50, n_prompts=5, parameters=135e6)
    Cost(read=330, said=0, flop=89100000000.0)
    """
    if min(prefix, suffix, said, parameters) < 0 or n_prompts < 1:
        raise ValueError("tokens and parameters cannot be negative, and a request asks at least once")
    read = prefix * (1 if shared else n_prompts) + suffix * n_prompts
    steps = max(said - 1, 0) * n_prompts
    return Cost(read, said * n_prompts, 2.0 * parameters * (read + steps))
