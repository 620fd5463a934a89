"""Where a Transformer looks: the weights of every head, ours and BERT's, and their product over the layers."""

from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course.attention import MultiHead
from recsys_course.text import TextEncoder, pad


@torch.no_grad()
def attention_weights(network: nn.Module, *inputs: Tensor) -> list[Tensor]:
    """Where each head of each ``MultiHead`` looks while a network of the course reads.

    ``MultiHead`` itself never writes its weights down (``F.scaled_dot_product_attention`` does not); they are computed
    again from the same inputs.

    Args:
        network: holds a ``MultiHead`` or more; SASRec's is ``model.network_``.
        inputs: what it is called with.

    Returns:
        Float ``[batch, n_heads, n, m]`` for each ``MultiHead`` in the order of use, each row a distribution; zeros in
        the rows of filler, which look nowhere.

    Raises:
        ValueError: the network has no ``MultiHead``.
    """
    heads = [module for module in network.modules() if isinstance(module, MultiHead)]
    if not heads:
        raise ValueError(f"{type(network).__name__} has no MultiHead: for a BERT use bert_attention")
    found: list[Tensor] = []
    hooks = [head.register_forward_hook(lambda head, read, _: found.append(head.weights(*read))) for head in heads]
    try:
        home = next(network.parameters()).device
        network(*(part.to(home) for part in inputs))
    finally:
        for hook in hooks:
            hook.remove()
    return [weights.float().cpu() for weights in found]


@torch.no_grad()
def bert_attention(encoder: TextEncoder, text: str) -> tuple[list[str], list[Tensor]]:
    """The tokens of a text, and where each head of each layer of a BERT looks.

    transformers runs BERT on ``F.scaled_dot_product_attention``, which hands back no weights: for this call the network
    is switched to its ``eager`` attention, and back afterwards.

    Returns:
        ``length`` tokens, from ``[CLS]`` to ``[SEP]``, and float ``[n_heads, length, length]`` for each layer: row
        looks at column, each row sums to 1.

    Raises:
        ValueError: the text is empty.
    """
    network, ids = encoder.network, torch.tensor(encoder.tokenize([text]))  # [1, length]
    usual = network.config._attn_implementation
    network.set_attn_implementation("eager")
    try:
        output = network(input_ids=ids.to(network.device), output_attentions=True)
    finally:
        network.set_attn_implementation(usual)
    tokens = encoder.tokenizer.convert_ids_to_tokens(ids[0].tolist())
    return tokens, [layer[0].float().cpu() for layer in output.attentions]


@cache
def bert() -> TextEncoder:
    """The pre-trained encoder of the course, loaded once."""
    return TextEncoder()


@torch.no_grad()
def token_effects(encoder: TextEncoder, text: str, others: Tensor) -> Tensor:
    """What each token is worth to a text's mean cosine with other vectors: with it minus without it.

    Args:
        encoder: any ``TextEncoder``.
        text: it is read whole, and once without each token.
        others: such as the vectors of what somebody liked, float ``[n, dim]``, of any length.

    Returns:
        Float ``[length - 2]``: ``[CLS]`` and ``[SEP]`` stay.
    """
    (ids,) = encoder.tokenize([text])
    shorter = [ids[:place] + ids[place + 1 :] for place in range(1, len(ids) - 1)]
    vectors = encoder.embed(*pad([ids, *shorter])).float().cpu()
    whole, *rest = F.normalize(vectors, dim=1) @ F.normalize(others, dim=1).mean(dim=0)
    return whole - torch.stack(rest)


def rollout(layers: Sequence[Tensor]) -> Tensor:
    r"""How much of each input is in each output, if attention and the way around it were all that a layer does.

    .. math:: \tilde A_L \cdots \tilde A_1, \qquad \tilde A_l = \frac{1}{2}(\bar A_l + I)

    with :math:`\bar A` the mean of the heads. Norms, value matrices and the networks between are left out. Source:
    Abnar and Zuidema, ACL 2020, arXiv:2005.00928.

    Args:
        layers: from the first to the last, float ``[..., n_heads, n, n]`` each.

    Returns:
        Float ``[..., n, n]``; each row is a distribution. A row that looks nowhere stays with itself.

    Raises:
        ValueError: there is no layer, or one is not square.
    """
    if not len(layers) or any(layer.shape[-1] != layer.shape[-2] for layer in layers):
        raise ValueError(f"rollout needs square weights of a layer or more, got {[list(w.shape) for w in layers]}")
    total = torch.eye(layers[0].shape[-1], dtype=layers[0].dtype, device=layers[0].device)
    for layer in layers:
        mixed = layer.mean(dim=-3) + torch.eye(layer.shape[-1], dtype=layer.dtype, device=layer.device)
        total = mixed / mixed.sum(dim=-1, keepdim=True) @ total  # [..., n, n]
    return total
