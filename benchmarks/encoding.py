"""Claim: texts become vectors at least 1.5 times as fast as one at a time, and no slower than by sentence-transformers.

The same weights, texts, token limit, masked mean and two threads; loading the model does not count, tokenising does.
No vector comes from a cache. The vectors must agree to four decimals.

    python benchmarks/encoding.py [--repeats 2] [--worlds films mixed]
"""

import json
import sys

import harness
import numpy as np

MAX_TOKENS, N_MIXED, WARM_UP = 256, 250, 16
LEAST_NAIVE, LEAST_PEER, AGREE = 1.5, 1.0, 1e-4
NOTES = harness.BUILD / "bench-texts.json"
WORLDS = {"films": "title, year and genres of 1,682 films", "mixed": f"{N_MIXED} made-up texts of 2 to 240 words"}


def write_texts() -> None:
    """The weights' folder and the texts, for tools that run in another interpreter."""
    from recsys_course import assets, data, text

    films = text.film_texts(data.movielens())
    words = sorted({word for film in films for word in film.split()})
    generator = np.random.default_rng(0)
    lengths = np.geomspace(2, 240, N_MIXED).astype(int)
    mixed = [" ".join(generator.choice(words, length)) for length in generator.permutation(lengths)]
    content = {"folder": str(assets.fetch("all-minilm-l6-v2")), "films": films, "mixed": mixed}
    NOTES.parent.mkdir(exist_ok=True)
    NOTES.write_text(json.dumps(content), encoding="utf-8")


def measure(encode, texts: list[str]) -> dict:
    """Seconds for all texts after a short warm-up, and a few of the vectors."""
    encode(texts[:WARM_UP])
    vectors, seconds = harness.stopwatch(lambda: encode(texts))
    return seconds | {"texts": len(texts), "sample": np.asarray(vectors)[::40].round(6).tolist()}


def read_texts(name: str) -> tuple[str, list[str]]:
    """The weights' folder and the texts of a world."""
    content = json.loads(NOTES.read_text(encoding="utf-8"))
    return content["folder"], content[name]


# --- the tools


def ours(name: str) -> dict:
    """Batches by length, without the cache."""
    import torch

    from recsys_course.text import TextEncoder

    torch.set_num_threads(harness.THREADS)
    encoder = TextEncoder(max_tokens=MAX_TOKENS)
    return measure(lambda texts: encoder.encode(texts, cache=False, progress=False), read_texts(name)[1])


def one_by_one(name: str) -> dict:
    """The loop as everybody writes it first."""
    import torch
    from transformers import BertModel, BertTokenizer

    torch.set_num_threads(harness.THREADS)
    folder, texts = read_texts(name)
    tokenizer, network = BertTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def encode(some: list[str]) -> np.ndarray:
        found = []
        for text in some:
            tokens = tokenizer(text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
            found.append(network(**tokens).last_hidden_state[0].mean(dim=0).numpy())
        return np.stack(found)

    return measure(encode, texts)


def sentence_transformers(name: str) -> dict:
    """Its ``encode`` with its own defaults: batches of 32, the longest texts first."""
    import torch
    from sentence_transformers import SentenceTransformer, models

    torch.set_num_threads(harness.THREADS)
    folder, texts = read_texts(name)
    words = models.Transformer(folder, max_seq_length=MAX_TOKENS)
    model = SentenceTransformer(modules=[words, models.Pooling(384, pooling_mode="mean")], device="cpu")
    return measure(lambda some: model.encode(some, show_progress_bar=False), texts)


# --- the bars


def judge(name: str, results: dict[str, dict]) -> bool:
    """At least 1.5 times the naive loop, at least as fast as sentence-transformers, the same vectors."""
    mine = results["ours"]
    print(f"\n{name}: {WORLDS[name]}; two threads, the faster run of each tool")
    columns = {
        "tool": str,
        "texts per second": lambda tool: f"{results[tool]['texts'] / results[tool]['wall']:.0f}",
        "texts per CPU second": lambda tool: f"{results[tool]['texts'] / results[tool]['cpu']:.0f}",
        "ours is faster by, wall": lambda tool: f"{results[tool]['wall'] / mine['wall']:.2f}",
        "ours is faster by, CPU": lambda tool: f"{results[tool]['cpu'] / mine['cpu']:.2f}",
        "peak MB": lambda tool: f"{results[tool]['megabytes']:,.0f}",
        "largest difference": lambda tool: f"{_apart(results[tool], mine):.0e}",
    }
    harness.print_table(columns, list(results))
    naive, peer = (results[tool]["wall"] / mine["wall"] for tool in ("one by one", "sentence-transformers"))
    apart = max(_apart(results[tool], mine) for tool in results)
    fast = harness.verdict(naive >= LEAST_NAIVE, f"{naive:.2f} times as fast as one by one (at least {LEAST_NAIVE})")
    level = harness.verdict(peer >= LEAST_PEER, f"{peer:.2f} times as fast as sentence-transformers (at least 1)")
    same = harness.verdict(apart < AGREE, f"vectors differ by at most {apart:.0e} (below {AGREE:.0e})")
    return fast and level and same


def _apart(result: dict, mine: dict) -> float:
    return float(np.abs(np.subtract(result["sample"], mine["sample"])).max())


if __name__ == "__main__":
    if "--measure" not in sys.argv:
        write_texts()
    tools = {"ours": ours, "one by one": one_by_one, "sentence-transformers": sentence_transformers}
    sys.exit(harness.main(__file__, "text", tools, list(WORLDS), judge, repeats=2))
