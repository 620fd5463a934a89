"""What the answer to L06 (the KV cache) states."""

import torch

from recsys_course import claim


def test_bytes_of_a_cache():
    grouped = 2 * 32 * 8 * 128 * 2  # keys and values, layers, heads of them, size of a head, bytes of a bf16
    claim(
        "L06.bytes",
        "32 layers, 8 key-value heads of 128, two bytes: 128 KiB a token, 225 MiB for 1,800; with all 32 heads 512 KiB",
        grouped == 128 * 2**10 and 1_800 * grouped == 225 * 2**20 and grouped * 4 == 512 * 2**10,
    )
    claim(
        "L06.requests",
        "An 80 GB card with 16 GB of weights holds 271 such requests",
        (80 - 16) * 10**9 // (1_800 * grouped) == 271,
    )


class Stack(torch.nn.Module):
    """Causal attention layers with learnt positions and one head, and a cache of keys and values."""

    def __init__(self, dim=16, n_layers=2, length=32):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        new = lambda *shape: torch.nn.Parameter(torch.randn(*shape, generator=draw) * dim**-0.5)  # noqa: E731
        self.places, self.layers = new(length, dim), torch.nn.ParameterList(new(3, dim, dim) for _ in range(n_layers))

    def forward(self, x, cache=None, places=None, mask=None):
        """Outputs ``[n, dim]`` for new inputs after those in the cache, and the longer cache."""
        start = len(cache[0][0]) if cache else 0
        total = start + len(x)
        x = x + self.places[torch.arange(start, total) if places is None else places]
        if mask is None:
            mask = torch.arange(total) <= torch.arange(start, total)[:, None]
        kept = []
        for n, weights in enumerate(self.layers):
            q, k, v = (x @ w for w in weights)
            if cache:
                k, v = torch.cat([cache[n][0], k]), torch.cat([cache[n][1], v])
            kept.append((k, v))
            scores = (q @ k.T / k.shape[1] ** 0.5).masked_fill(~mask, -torch.inf)
            x = x + scores.softmax(1) @ v
        return x, kept


def events(n, seed=0):
    return torch.randn(n, 16, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_step_by_step_equals_the_full_pass():
    stack, x = Stack(), events(12)
    full, _ = stack(x)
    cache, steps = None, []
    for event in x:
        out, cache = stack(event[None], cache)
        steps.append(out)
    claim(
        "L06.equal",
        "One event at a time with the cache gives the full pass to 1e-5",
        torch.allclose(torch.cat(steps), full, atol=1e-5),
    )
    forgotten, _ = stack(x[-1:], stack(x[:-1])[1], places=torch.tensor([0]))
    claim(
        "L06.offset",
        "If the new event starts again at place 0, the answer is another one",
        float((forgotten - full[-1:]).abs().max()) > 0.05,
    )


@torch.no_grad()
def test_candidates_share_the_history():
    stack, history, candidates = Stack(), events(10), events(5, seed=1)
    apart = torch.stack([stack(torch.cat([history, c[None]]))[0][-1] for c in candidates])
    cache = stack(history)[1]
    mask = torch.cat([torch.ones(5, 10, dtype=torch.bool), torch.eye(5, dtype=torch.bool)], 1)
    together, _ = stack(candidates, cache, places=torch.full((5,), 10), mask=mask)
    claim(
        "L06.shared",
        "Five candidates behind one cached history, each at the same place and blind to the others, score as if alone",
        torch.allclose(together, apart, atol=1e-5),
    )
    tokens = {"apart": 20 * (600 + 60), "shared": 600 + 20 * 60}
    claim(
        "L06.saved",
        "600 tokens of history and 20 candidates of 60: 1,800 tokens instead of 13,200, 7.3 times fewer",
        tokens == {"apart": 13_200, "shared": 1_800} and abs(13_200 / 1_800 - 7.3) < 0.05,
    )


@torch.no_grad()
def test_what_a_change_spoils():
    stack, x = Stack(n_layers=3), events(10)
    other = x.clone()
    other[3] += 1
    before, after = stack(x)[1], stack(other)[1]
    changed = [
        [int(i) for i in ((a[0] - b[0]).abs().amax(1) > 1e-6).nonzero()] for a, b in zip(before, after, strict=True)
    ]
    claim(
        "L06.prefix",
        "Changing the fourth of ten events: in the first layer its own key changes, in later layers every key from it "
        "on, none before it",
        changed == [[3], list(range(3, 10)), list(range(3, 10))],
    )


def test_why_decoding_waits_for_memory():
    parameters, bytes_, speed, compute = 8e9, 16e9, 3.35e12, 989e12
    prefill, decode = 2 * parameters * 1_800 / compute, 2 * parameters / compute
    read = bytes_ / speed
    claim(
        "L06.bound",
        "8 billion parameters in bf16, 989 TFLOP/s, 3.35 TB/s: reading the weights takes 4.8 ms; the arithmetic of "
        "one token 0.016 ms, of 1,800 tokens 29 ms",
        abs(read - 4.8e-3) < 0.1e-3 and abs(decode - 0.016e-3) < 0.001e-3 and abs(prefill - 29e-3) < 0.5e-3,
    )
    claim(
        "L06.balance",
        "At some 295 tokens a pass arithmetic and reading take equally long",
        abs(read / decode - 295) < 1,
    )
