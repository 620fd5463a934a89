"""Sums to do before a machine is rented: bytes that training holds, and bytes that it sends."""

FLOAT = 4  # bytes
OPTIMIZERS = ("sgd", "momentum", "adagrad", "adam", "rowwise_adagrad")


def state_bytes(rows: int, dim: int, optimizer: str) -> int:
    """What an optimiser remembers of a table of ``rows`` vectors, in bytes.

    Momentum and Adagrad keep one number for each weight, Adam two, row-wise Adagrad one for each row (the sum of the
    row's mean squared gradients), SGD none.

    Raises:
        ValueError: the optimiser is unknown.

    >>> state_bytes(1_000_000_000, 64, "adam"), state_bytes(1_000_000_000, 64, "rowwise_adagrad")
    (512000000000, 4000000000)
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"the optimizer must be one of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    weight = FLOAT * rows * dim
    return {"sgd": 0, "adam": 2 * weight, "rowwise_adagrad": FLOAT * rows}.get(optimizer, weight)


def training_bytes(rows: int, dim: int, optimizer: str = "adam", stage: int = 0, workers: int = 1) -> dict[str, float]:
    """Bytes that one process holds in float32 for weights, gradients and optimiser state; no activations.

    Stages as in ZeRO (Rajbhandari et al., SC 2020, arXiv:1910.02054): 0 copies everything to each process, which is
    DDP; 1 divides the optimiser state among them, 2 the gradients as well, 3 the weights as well, as FSDP does.

    Args:
        rows: of the table; for other weights their number, with ``dim=1``.
        dim: length of a row.
        optimizer: one of ``OPTIMIZERS``.
        stage: 0 to 3.
        workers: processes that share.

    Raises:
        ValueError: the optimiser or the stage is unknown, or there is no process.

    >>> training_bytes(1_000_000, 64, stage=1, workers=8)
    {'weights': 256000000.0, 'gradients': 256000000.0, 'state': 64000000.0}
    """
    if stage not in range(4) or workers < 1:
        raise ValueError(f"the stage must be 0 to 3 and workers at least 1, got {stage} and {workers}")
    whole = {"weights": FLOAT * rows * dim, "gradients": FLOAT * rows * dim, "state": state_bytes(rows, dim, optimizer)}
    divided = ("state", "gradients", "weights")[:stage]
    return {part: size / (workers if part in divided else 1) for part, size in whole.items()}


def ring_bytes(size: int, workers: int) -> float:
    r"""Bytes that each process sends in a ring all-reduce of ``size`` bytes, :math:`2 \frac{n - 1}{n} S`.

    >>> ring_bytes(1000, 2), ring_bytes(1000, 100)
    (1000.0, 1980.0)
    """
    return 2 * (workers - 1) / workers * size


def exchange_bytes(lookups: int, dim: int, workers: int) -> float:
    r"""Bytes that a process sends in a training step when its table is divided by rows.

    Of its :math:`b` look-ups the share :math:`(n - 1) / n` belongs to others. Their ids go out (8 bytes each); as an
    owner it answers as many with vectors of ``dim`` floats; and the gradients of its own look-ups go to their owners.

    >>> exchange_bytes(1024, 64, workers=2)
    266240.0
    """
    return (workers - 1) / workers * lookups * (8 + 2 * FLOAT * dim)


def efficiency(one: float, many: float, workers: int) -> float:
    """Scaling efficiency: throughput of all processes over ``workers`` times that of one.

    >>> efficiency(one=1000, many=1500, workers=2)
    0.75
    """
    return many / (workers * one)
