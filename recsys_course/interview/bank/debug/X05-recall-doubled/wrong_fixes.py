# ruff: noqa: E501
"""Wrong fixes of X05: what is replaced in the code as it was found, by what the fix does."""

WRONG_FIXES = {
    "leaves out all known likes, those of the test month too": [
        ('np.argsort(-scores[active], axis=1, kind="stable")[:, :k]', "recommend(scores[active], likes[active], k)"),
        ("return recall(lists, likes[active])", "return recall(lists, test[active])"),
    ],
    "counts test likes only, in lists that old likes still fill": [
        ("    likes = train | test\n", ""),
        ("return recall(lists, likes[active])", "return recall(lists, test[active])"),
    ],
    "leaves old likes out of the lists and goes on asking for them": [
        ('np.argsort(-scores[active], axis=1, kind="stable")[:, :k]', "recommend(scores[active], train[active], k)")
    ],
    "multiplies the scores of old likes by zero": [
        ("    likes = train | test\n", ""),
        (
            'np.argsort(-scores[active], axis=1, kind="stable")[:, :k]',
            'np.argsort(-(scores * ~train)[active], axis=1, kind="stable")[:, :k]',
        ),
        ("return recall(lists, likes[active])", "return recall(lists, test[active])"),
    ],
    "looks at twice as many places, to make up for the old likes": [
        ("    likes = train | test\n", ""),
        (
            'np.argsort(-scores[active], axis=1, kind="stable")[:, :k]',
            'np.argsort(-scores[active], axis=1, kind="stable")[:, : 2 * k]',
        ),
        ("return recall(lists, likes[active])", "return recall(lists, test[active])"),
    ],
    "gives old likes a score of -1": [
        ("    likes = train | test\n", ""),
        (
            'lists = np.argsort(-scores[active], axis=1, kind="stable")[:, :k]',
            'lists = np.argsort(-np.where(train, -1.0, scores)[active], axis=1, kind="stable")[:, :k]',
        ),
        ("return recall(lists, likes[active])", "return recall(lists, test[active])"),
    ],
    "counts users without a new like as zero": [
        ("    likes = train | test\n", ""),
        ("    active = test.any(axis=1)\n", ""),
        ('lists = np.argsort(-scores[active], axis=1, kind="stable")[:, :k]', "lists = recommend(scores, train, k)"),
        (
            "return recall(lists, likes[active])",
            "return float((np.take_along_axis(test, lists, axis=1).sum(axis=1) / np.maximum(test.sum(axis=1), 1)).mean())",
        ),
    ],
}
