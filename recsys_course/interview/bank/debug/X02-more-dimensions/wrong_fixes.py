"""Wrong fixes of X02: what is replaced in the code as it was found, by what the fix does."""

WRONG_FIXES = {
    "multiplies by the vector's own entries, not by those of the other": [
        ("lr * (error + decay * self.users[user])", "lr * (error * self.users[user] + decay * self.users[user])"),
        ("lr * (error + decay * self.items[item])", "lr * (error * self.items[item] + decay * self.items[item])"),
        ("            for row in rng", "            losses = []\n            for row in rng"),
        ("loss = self.step(user, item, rating)", "losses.append(self.step(user, item, rating))"),
        ("history.append(loss)", "history.append(float(np.mean(losses)))"),
    ],
    "moves the item by the user's new vector": [
        ("lr * (error + decay * self.users[user])", "lr * (error * self.items[item] + decay * self.users[user])"),
        ("lr * (error + decay * self.items[item])", "lr * (error * self.users[user] + decay * self.items[item])"),
        ("            for row in rng", "            losses = []\n            for row in rng"),
        ("loss = self.step(user, item, rating)", "losses.append(self.step(user, item, rating))"),
        ("history.append(loss)", "history.append(float(np.mean(losses)))"),
    ],
    "mends the steps and goes on printing the loss of the last rating": [
        (
            "        self.users[user] -= lr * (error + decay * self.users[user])\n",
            "        p, q = self.users[user].copy(), self.items[item].copy()\n"
            "        self.users[user] -= lr * (error * q + decay * p)\n",
        ),
        ("lr * (error + decay * self.items[item])", "lr * (error * p + decay * q)"),
    ],
    "shrinks the step until the loss looks smooth": [
        ("lr: float = 0.05", "lr: float = 0.001"),
    ],
    "keeps views of the old vectors, which change with them": [
        (
            "        self.users[user] -= lr * (error + decay * self.users[user])\n",
            "        p, q = self.users[user], self.items[item]\n"
            "        self.users[user] -= lr * (error * q + decay * p)\n",
        ),
        ("lr * (error + decay * self.items[item])", "lr * (error * p + decay * q)"),
        ("            for row in rng", "            losses = []\n            for row in rng"),
        ("loss = self.step(user, item, rating)", "losses.append(self.step(user, item, rating))"),
        ("history.append(loss)", "history.append(float(np.mean(losses)))"),
    ],
    "mends the user's step only": [
        (
            "        self.users[user] -= lr * (error + decay * self.users[user])\n",
            "        self.users[user] -= lr * (error * self.items[item] + decay * self.users[user])\n",
        ),
        ("            for row in rng", ("            losses = []\n            for row in rng")),
        ("loss = self.step(user, item, rating)", "losses.append(self.step(user, item, rating))"),
        ("history.append(loss)", "history.append(float(np.mean(losses)))"),
    ],
    "averages over all epochs so far, since the list of losses is never emptied": [
        (
            "        self.users[user] -= lr * (error + decay * self.users[user])\n",
            (
                "        p, q = self.users[user].copy(), self.items[item].copy()\n"
                "        self.users[user] -= lr * (error * q + decay * p)\n"
            ),
        ),
        (
            "        self.items[item] -= lr * (error + decay * self.items[item])\n",
            "        self.items[item] -= lr * (error * p + decay * q)\n",
        ),
        (
            "rng, history = np.random.default_rng(seed), []",
            "rng, history, losses = np.random.default_rng(seed), [], []",
        ),
        ("loss = self.step(user, item, rating)", "losses.append(self.step(user, item, rating))"),
        ("history.append(loss)", "history.append(float(np.mean(losses)))"),
    ],
}
