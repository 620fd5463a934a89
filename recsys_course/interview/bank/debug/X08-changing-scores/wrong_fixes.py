# ruff: noqa: E501
"""Wrong fixes of X08: what is replaced in the code as it was found, by what the fix does."""

WRONG_FIXES = {
    "leaves the gradients out, which changes no layer's mode": [
        (
            "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
            "    with torch.no_grad():\n        logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
        )
    ],
    "calls eval() and never goes back, so that later epochs train without dropout": [
        (
            "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
            "    model.eval()\n    with torch.no_grad():\n        logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
        )
    ],
    "fixes the seed, so that the same request gets the same scores": [
        (
            "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
            "    torch.manual_seed(0)\n    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
        )
    ],
    "switches dropout off and leaves the batch its say": [
        (
            "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
            "    was = [(m, m.training) for m in model.modules() if isinstance(m, nn.Dropout)]\n    for module, _ in was:\n        module.eval()\n    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n    for module, training in was:\n        module.train(training)\n",
        )
    ],
    "calls eval() around the validation and leaves the requests as they are": [
        (
            "        history.append(log_loss(held_out[1], score(model, held_out[0])))\n",
            "        model.eval()\n        history.append(log_loss(held_out[1], score(model, held_out[0])))\n        model.train()\n",
        )
    ],
    "calls eval() once, at the end of the training": [
        ("    return history\n", "    model.eval()\n    return history\n")
    ],
    "averages over thirty calls": [
        (
            "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
            "    rows = torch.as_tensor(rows, dtype=torch.float32)\n    logits = torch.stack([model(rows) for _ in range(30)]).mean(dim=0)\n",
        )
    ],
    "freezes batch normalisation, in training too, and leaves dropout on": [
        (
            "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
            (
                "    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]\n"
                "    for norm in norms:\n"
                "        norm.eval()\n"
                "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n"
                "    for norm in norms:\n"
                "        norm.train()\n"
            ),
        ),
    ],
}
