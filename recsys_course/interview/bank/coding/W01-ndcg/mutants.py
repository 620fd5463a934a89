"""Wrong answers to W01: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "the discount starts at log2(1)": [("math.log2(rank + 2)", "math.log2(rank + 1.001)")],
    "no relevant item is 0": [("return math.nan", "return 0.0")],
    "ties keep the order of the input": [
        ("total += mean * sum(_discount(place)", "total += sum(block[place - rank] * _discount(place)")
    ],
    "a tied block is not cut at k": [("min(rank + len(block), k)", "rank + len(block)")],
    "the ideal list is that of the first k": [("sorted(gains, reverse=True)[:k]", "sorted(gains[:k], reverse=True)")],
    "the ideal list is not cut": [("sorted(gains, reverse=True)[:k]", "sorted(gains, reverse=True)")],
    "a negative grade passes": [("grade < 0 for", "grade < -9 for")],
    "the lists are sorted in place": [
        ("    best =", "    scores.sort() if isinstance(scores, list) else None\n    best =")
    ],
}

SLOW = {
    "each item looks for its rank among all": [
        ("order = sorted(", "[sum(other > score for other in scores) for score in scores]\n    order = sorted(")
    ],
}
