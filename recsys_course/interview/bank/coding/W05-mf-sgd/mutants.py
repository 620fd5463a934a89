# ruff: noqa: E501
"""Wrong answers to W05: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "the item learns from the user's new value": [
        ("mine, its = self.user_factors[user].copy(),", "mine, its = self.user_factors[user],")
    ],
    "the user's gradient is its own factor": [("(error * its - self.reg * mine)", "(error * mine - self.reg * mine)")],
    "the sign of reg": [("error * mine - self.reg * its", "error * mine + self.reg * its")],
    "biases are not regularised": [("(error - self.reg * self.item_bias[item])", "error")],
    "the order is the same in every epoch": [
        ("self.generator.permutation(len(ratings))", "np.random.default_rng(3).permutation(len(ratings))")
    ],
    "no shuffle": [("self.generator.permutation(len(ratings))", "range(len(ratings))")],
    "ratings are drawn with replacement": [
        ("self.generator.permutation(len(ratings))", "self.generator.integers(0, len(ratings), len(ratings))")
    ],
    "NaN goes on": [("if not np.isfinite(error):", "if False:")],
    "an unknown user has random factors": [("user in self.known_users,", "user < len(self.user_bias),")],
    "the error is clipped": [
        (
            "error = float(rating - self.mean_ - self.user_bias[user] - self.item_bias[item] - mine @ its)",
            "error = float(rating - min(max(self.mean_ + self.user_bias[user] + self.item_bias[item] + mine @ its, self.low), self.high))",
        )
    ],
    "predictions are not clipped": [("float(min(max(rating, self.low), self.high))", "float(rating)")],
    "the global generator": [("np.random.default_rng(seed)", "np.random.mtrand._rand")],
    "a dense matrix": [
        (
            "        for _ in range(epochs):",
            "        np.full((len(self.user_bias), len(self.item_bias)), np.nan)\n        for _ in range(epochs):",
        )
    ],
}

SLOW = {
    "each step looks for the user's ratings": [
        (
            "                with np.errstate",
            "                [n for n, u in enumerate(users) if u == users[place]]\n                with np.errstate",
        )
    ],
}
