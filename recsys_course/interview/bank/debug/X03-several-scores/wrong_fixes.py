"""Wrong fixes of X03: what is replaced in the code as it was found, by what the fix does."""

WRONG_FIXES = {
    "copies before it zeroes, so that training runs and the shares no longer sum to one": [
        ("scores * keep, dim=-1", 'scores.masked_fill(~keep, float("-inf")), dim=-1).nan_to_num(0.0'),
        ("torch.softmax(scores, dim=-1) @ items", "torch.softmax(scores, dim=-1).nan_to_num(0.0) @ items"),
        ("    shares[~keep] = 0.0\n    return shares", "    return shares * keep"),
    ],
    "fills with the lowest number and forgets users without history, who get the mean of the padding": [
        ("scores * keep, dim=-1", "scores.masked_fill(~keep, torch.finfo(scores.dtype).min), dim=-1"),
        ('float("-inf")', "torch.finfo(scores.dtype).min"),
        (
            "torch.softmax(-rate * ages, dim=-1)  # [batch, length]\n    shares[~keep] = 0.0",
            "torch.softmax((-rate * ages).masked_fill(~keep, -1e9), dim=-1)",
        ),
    ],
    "masks the queries instead of the keys": [
        ("scores * keep, dim=-1)", 'scores.masked_fill(~keep, float("-inf")), dim=-1).nan_to_num(0.0)'),
        ("~keep.unsqueeze(1)", "~keep.unsqueeze(2)"),
        ("torch.softmax(scores, dim=-1) @ items", "torch.softmax(scores, dim=-1).nan_to_num(0.0) @ items"),
        (
            "torch.softmax(-rate * ages, dim=-1)  # [batch, length]\n    shares[~keep] = 0.0",
            'torch.softmax((-rate * ages).masked_fill(~keep, float("-inf")), dim=-1).nan_to_num(0.0)',
        ),
    ],
    "keeps the product and divides by the weight that is left": [
        (
            "torch.softmax(scores * keep, dim=-1)\n",
            "torch.softmax(scores * keep, dim=-1) * keep\n    weights = weights / weights.sum(dim=-1, keepdim=True)\n",
        ),
        ("torch.softmax(scores, dim=-1) @ items", "torch.softmax(scores, dim=-1).nan_to_num(0.0) @ items"),
        (
            "    shares[~keep] = 0.0\n    return shares",
            "    shares = shares * keep\n    return shares / shares.sum(dim=-1, keepdim=True)",
        ),
    ],
    "fills with -1e9, which half precision cannot hold": [
        ("torch.softmax(scores * keep, dim=-1)", "torch.softmax(scores.masked_fill(~keep, -1e9), dim=-1) * keep"),
        ('float("-inf")', "-1e9"),
        ("torch.softmax(scores, dim=-1) @ items", "torch.softmax(scores, dim=-1) * keep.unsqueeze(1) @ items"),
        (
            "torch.softmax(-rate * ages, dim=-1)  # [batch, length]\n    shares[~keep] = 0.0",
            "torch.softmax((-rate * ages).masked_fill(~keep, -1e9), dim=-1) * keep",
        ),
    ],
    "replaces NaN in the results, where the gradients of the items stay NaN": [
        ("torch.softmax(scores * keep, dim=-1)", 'torch.softmax(scores.masked_fill(~keep, float("-inf")), dim=-1)'),
        (
            "    return (weights.unsqueeze(1) @ items).squeeze(1)",
            "    return (weights.unsqueeze(1) @ items).squeeze(1).nan_to_num(0.0)",
        ),
        (
            "return torch.softmax(scores, dim=-1) @ items",
            "return (torch.softmax(scores, dim=-1) @ items).nan_to_num(0.0)",
        ),
        (
            ("torch.softmax(-rate * ages, dim=-1)  # [batch, length]\n    shares[~keep] = 0.0\n"),
            'torch.softmax((-rate * ages).masked_fill(~keep, float("-inf")), dim=-1).nan_to_num(0.0)\n',
        ),
    ],
}
