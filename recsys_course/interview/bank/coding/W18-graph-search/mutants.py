# ruff: noqa: E501
"""Wrong answers to W18: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "ef below k stays": [("max(ef, k), frozenset(deleted)", "max(ef, 1), frozenset(deleted)")],
    "marked when expanded": [
        ("            seen.add(other)\n", ""),
        ("        for other in links[node]:", "        seen.add(node)\n        for other in links[node]:"),
    ],
    "it stops before the beam is full": [("len(best) == ef and nearest", "best and nearest")],
    "it never stops early": [("            break\n", "            pass\n")],
    "deleted nodes are returned": [("if other not in deleted:", "if True:")],
    "deleted nodes are dropped": [("if other in seen:", "if other in seen or other in deleted:")],
    "a deleted entry is returned": [("[] if entry in deleted else [(-start, -entry)]", "[(-start, -entry)]")],
    "the beam is never cut": [("                        heapq.heappop(best)", "                        pass")],
    "ties by the higher node": [
        (
            "best = [] if entry in deleted else [(-start, -entry)]",
            "best = [] if entry in deleted else [(-start, entry)]",
        ),
        ("heapq.heappush(best, (-away, -other))", "heapq.heappush(best, (-away, other))"),
        ("(-away, -other) > best[0]", "(-away, other) > best[0]"),
        ("sorted((-away, -node) for", "sorted((-away, node) for"),
    ],
    "the farthest is expanded first": [
        ("heapq.heappush(queue, (away, other))", "heapq.heappush(queue, (-away, other))")
    ],
    "k is not checked": [("if k < 1:", "if False:")],
    "links are consumed": [
        (
            "        for other in links[node]:",
            "        mine = list(links[node])\n        links[node].clear() if isinstance(links[node], list) else None\n        for other in mine:",
        )
    ],
}

SLOW = {
    "every reachable node is visited": [
        ("            break\n", "            pass\n"),
        ("if len(best) < ef or (-away, -other) > best[0]:", "if True:"),
    ],
}
