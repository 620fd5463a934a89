"""Wrong fixes of X01: what is replaced in the code as it was found, by what the fix does."""

WRONG_FIXES = {
    "leaves the row itself out of the mean, not the rows after it": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            '    for key in ("item", "user"):\n'
            '        rows = log.groupby(key)["click"]\n'
            '        others = rows.transform("size") - 1\n'
            '        log[f"{key}_ctr"] = (rows.transform("sum") - log["click"] + 2) / (others + 10)\n',
        ),
        ('    log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")\n', ""),
    ],
    "takes the means of the first 80 % only, so that no row of the test is in them": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            "    past = log[: int(0.8 * len(log))]\n"
            '    log["item_ctr"] = log["item"].map(past.groupby("item")["click"].mean()).fillna(0.2)\n',
        ),
        (
            'log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")',
            'log["user_ctr"] = log["user"].map(past.groupby("user")["click"].mean()).fillna(0.2)',
        ),
    ],
    "takes a running mean that begins with the row itself": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            '    for key in ("item", "user"):\n'
            '        rows = log.groupby(key)["click"]\n'
            '        log[f"{key}_ctr"] = rows.cumsum() / (rows.cumcount() + 1)\n',
        ),
        ('    log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")\n', ""),
    ],
    "mends the item and forgets the join for the user": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            '    rows = log.groupby("item")["click"]\n'
            '    log["item_ctr"] = (rows.cumsum() - log["click"] + 2) / (rows.cumcount() + 10)\n',
        )
    ],
    "counts past clicks, with the click rate of the whole log as prior": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            '    for key in ("item", "user"):\n'
            '        rows = log.groupby(key)["click"]\n'
            '        past = rows.cumsum() - log["click"]\n'
            '        log[f"{key}_ctr"] = (past + 10 * log["click"].mean()) / (rows.cumcount() + 10)\n',
        ),
        ('    log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")\n', ""),
    ],
    "smooths the rates of rare items": [
        (
            'log["item_ctr"] = log.groupby("item")["click"].transform("mean")',
            'log["item_ctr"] = log.groupby("item")["click"].transform(lambda c: (c.sum() + 2) / (len(c) + 10))',
        ),
        (
            'log.groupby("user")["click"].mean().rename("user_ctr")',
            'log.groupby("user")["click"].agg(lambda c: (c.sum() + 2) / (len(c) + 10)).rename("user_ctr")',
        ),
    ],
    "counts past clicks, and has no number where there are none": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            '    for key in ("item", "user"):\n'
            '        rows = log.groupby(key)["click"]\n'
            '        log[f"{key}_ctr"] = (rows.cumsum() - log["click"]) / rows.cumcount()\n',
        ),
        ('    log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")\n', ""),
    ],
    "shifts the log before it is grouped, so that the row above is another item's": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            (
                '    for key in ("item", "user"):\n'
                '        past = log["click"].shift(fill_value=0).groupby(log[key])\n'
                '        log[f"{key}_ctr"] = (past.cumsum() + 2) / (log.groupby(key).cumcount() + 10)\n'
            ),
        ),
        ('    log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")\n', ""),
    ],
    "encodes each fifth of the log by the other four": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            (
                '    for key in ("item", "user"):\n'
                '        rows = log.groupby(key)["click"]\n'
                "        part = np.arange(len(log)) % 5\n"
                '        own = log.groupby([key, part])["click"]\n'
                '        views = rows.transform("size") - own.transform("size")\n'
                '        log[f"{key}_ctr"] = (rows.transform("sum") - own.transform("sum") + 2) / (views + 10)\n'
            ),
        ),
        ('    log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")\n', ""),
    ],
}
