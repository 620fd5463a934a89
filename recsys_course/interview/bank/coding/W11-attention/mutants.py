"""Wrong answers to W11: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "the scale is that of the whole model": [("np.sqrt(queries.shape[-1])", "queries.shape[-1]")],
    "a fully masked query is NaN": [("np.where(total == 0, 1.0, total)", "total")],
    "masked by 0 instead of minus infinity": [("np.where(mask, scores, -np.inf)", "np.where(mask, scores, 0.0)")],
    "masked after the softmax": [
        ("        scores = np.where(mask, scores, -np.inf)  # [..., n_queries, n_keys]", "        values = values"),
        (
            "    return (weights @ values",
            "    weights = weights if mask is None else weights * mask\n    return (weights @ values",
        ),
    ],
    "exp overflows": [("np.where(np.isfinite(largest), largest, 0.0)", "0.0")],
    "padding hides queries": [("keep[:, None, None, :]", "keep[:, None, :, None]")],
    "padding of another row": [
        ("keep[:, None, None, :]", "keep[None, None, :, :] if len(keep) == length else keep[:, None, None, :]")
    ],
    "a position does not see itself": [("np.tril(mask)", "np.tril(mask, -1)")],
    "the past is hidden": [("np.tril(mask)", "np.triu(mask)")],
    "heads are mixed with positions": [
        (
            "x.reshape(batch, length, n_heads, dim // n_heads).transpose(0, 2, 1, 3)",
            "x.reshape(batch, n_heads, length, dim // n_heads)",
        )
    ],
    "heads are not put back": [("heads.transpose(0, 2, 1, 3).reshape", "heads.reshape")],
    "no output projection": [(' @ weights["o"])', ")")],
    "half precision throughout": [
        ("queries.astype(float) @ np.swapaxes(keys.astype(float), -1, -2)", "queries @ np.swapaxes(keys, -1, -2)"),
        ("np.exp(scores - np.where(np.isfinite(largest), largest, 0.0))", "np.exp(scores)"),
    ],
    "the dtype is lost": [(".astype(x.dtype)", ".astype(float)")],
    "keep is changed": [("        mask = mask & keep", "        keep[:] = keep | True\n        mask = mask & keep")],
}

SLOW = {
    "all scores are computed again for each query": [
        (
            "    if mask is not None:",
            "    for _ in range(queries.shape[-2]):\n        np.exp(scores).sum(axis=-1)\n    if mask is not None:",
        )
    ],
}
