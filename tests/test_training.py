"""The loop over epochs: which weights are kept, when it stops, and that an interrupted run ends like a whole one."""

import io
import math
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn, tensor

from recsys_course.training import Diverged, EarlyStopping, History, run_epochs, seeded, train
from recsys_course.training import epochs as loop
from recsys_course.training.network import autocast

NAN, INF = math.nan, math.inf


class Counter:
    """Weights that say in which epoch they are: epoch 3 sets them to 3."""

    def __init__(self, losses: list[float] | None = None, scores: list[float] | None = None) -> None:
        self.weight, self.losses, self.scores, self.epoch_number = torch.zeros(1), losses, scores, 0

    def epoch(self):
        self.epoch_number += 1
        self.weight.fill_(self.epoch_number)
        yield self.losses[self.epoch_number - 1] if self.losses else 1.0

    def score(self) -> float:
        return self.scores[self.epoch_number - 1]

    def run(self, **options) -> History:
        score = self.score if self.scores else None
        settings = {"epochs": 9, "learning_rate": 0.5, "score": score, **options}
        return run_epochs(self.epoch, {"weight": self.weight}, **settings)


# --- early stopping


@pytest.mark.parametrize(
    ("scores", "patience", "min_delta", "improved", "stops_after"),
    [
        ([1, 2, 3, 2, 2], 2, 0, [True, True, True, False, False], 5),
        ([1, 2, 2, 2], 2, 0, [True, True, False, False], 4),  # a tie is no improvement
        ([3, 2, 4, 3, 3, 3], 3, 0, [True, False, True, False, False, False], 6),  # the count starts again
        ([1.0, 1.05, 1.25, 1.3], 2, 0.1, [True, False, True, False], None),
        ([0.5, 0.75], 1, 0.25, [True, False], 2),  # just min_delta is not more than min_delta
        ([NAN, 1, NAN, NAN], 2, 0, [False, True, False, False], 4),
        ([-5, -4, -4.5], 1, 0, [True, True, False], 3),
        ([1, 0, 0, 0, 0, 0], None, 0, [True, False, False, False, False, False], None),
    ],
)
def test_early_stopping_by_hand(scores, patience, min_delta, improved, stops_after):
    stopping, stopped = EarlyStopping(patience, min_delta), None
    for number, (score, expected) in enumerate(zip(scores, improved, strict=True), 1):
        assert stopping.improved(score) is expected
        if stopping.stop and stopped is None:
            stopped = number
    assert stopped == stops_after


def test_impossible_stopping_rules_are_refused():
    with pytest.raises(ValueError, match="patience must be at least 1 epoch, got 0"):
        EarlyStopping(0)
    for wrong in (-0.1, NAN):
        with pytest.raises(ValueError, match="min_delta must not be negative, got"):
            EarlyStopping(1, wrong)
    with pytest.raises(ValueError, match="patience needs a validation score to wait for: give score as well"):
        Counter().run(patience=3)


# --- the loop


def test_the_best_epochs_weights_are_left_in_place_not_the_last():
    counter = Counter(scores=[0.1, 0.4, 0.3, 0.2, 0.1, 0, 0, 0, 0])
    history = counter.run()
    assert float(counter.weight) == 2 and history.best_epoch == 2 and len(history) == 9


def test_it_stops_when_patience_is_used_up_and_keeps_the_best():
    counter = Counter(scores=[0.1, 0.4, 0.3, NAN, 0.9, 0, 0, 0, 0])
    history = counter.run(patience=2)
    assert len(history) == 4 and counter.epoch_number == 4
    assert float(counter.weight) == 2 and history.best_epoch == 2


def test_weights_from_before_training_are_kept_when_no_epoch_has_a_score():
    counter = Counter(scores=[NAN, NAN, NAN])
    assert counter.run(epochs=3).best_epoch == 0 and float(counter.weight) == 0


def test_without_validation_the_last_epochs_weights_stay():
    counter = Counter()
    history = counter.run(epochs=3)
    assert float(counter.weight) == 3 and history.best_epoch == 3 and history.score == []


def test_the_history_holds_the_mean_loss_of_the_steps_and_the_time_of_each_epoch():
    steps = iter([[4.0, 2.0], [tensor(1.0), tensor(2.0)]])
    history = run_epochs(lambda: next(steps), {}, epochs=2, learning_rate=1)
    assert history.loss == [3, 1.5] and history.first_loss == 4
    assert len(history.seconds) == 2 and all(0 <= s < 5 for s in history.seconds)


def test_the_history_reads_as_a_sentence():
    history = History(loss=[3.0, 1.5], score=[0.25, 0.125], seconds=[1.0, 2.0], first_loss=4, best_epoch=1)
    assert repr(history) == "History(2 epochs in 3.0 s, loss 4 to 1.5, best score 0.25 in epoch 1)"
    assert repr(History()) == "History(0 epochs in 0.0 s)"


def test_an_epoch_without_a_step_is_refused():
    with pytest.raises(ValueError, match="an epoch has no step: there is nothing to learn from"):
        run_epochs(list, {}, epochs=1, learning_rate=1)


def test_an_interruption_by_hand_keeps_the_best_weights():
    counter = Counter(scores=[0.1, 0.4, 0.3])

    def impatient():
        if counter.epoch_number == 3:
            raise KeyboardInterrupt
        return counter.epoch()

    with pytest.raises(KeyboardInterrupt):
        run_epochs(impatient, {"w": counter.weight}, epochs=9, learning_rate=1, score=counter.score)
    assert float(counter.weight) == 2


# --- divergence


@pytest.mark.parametrize("bad", [NAN, INF, -INF, 12.5])
def test_a_loss_that_is_not_finite_or_explodes_stops_with_a_sentence_and_the_best_weights(bad):
    counter = Counter(losses=[1.0, 2.0, 11.0, bad, 1.0], scores=[0.1, 0.4, 0.3, 0.9, 0.9])
    sentence = rf"learning rate 0.5 is too high .*: the loss went from 1 to {bad} in epoch 4; .* epoch 2: try 0.05$"
    with pytest.raises(Diverged, match=sentence) as stopped:
        counter.run()
    assert float(counter.weight) == 2
    assert isinstance(stopped.value, ValueError) and "\n" not in str(stopped.value)


def test_divergence_in_the_first_epoch_keeps_the_weights_from_before_training():
    counter = Counter(losses=[NAN])
    with pytest.raises(Diverged, match="the best weights are kept, those before training: try"):
        counter.run()
    assert float(counter.weight) == 0


def test_a_rise_within_the_noise_is_no_divergence():
    assert len(Counter(losses=[0.001, 5.0, 0.1]).run(epochs=3)) == 3
    assert len(Counter(losses=[-2.0, 15.0, 0.1]).run(epochs=3)) == 3


def descend(learning_rate: float, weight: np.ndarray) -> History:
    """Gradient descent on w ** 2 by hand, in numpy: above a learning rate of 1 every step overshoots."""

    def epoch():
        for _ in range(5):
            yield float(weight @ weight)
            weight[:] -= learning_rate * 2 * weight

    return run_epochs(epoch, {"w": torch.from_numpy(weight)}, epochs=20, learning_rate=learning_rate)


def test_gradients_by_hand_in_numpy_use_the_same_loop():
    weight = np.array([3.0, -4.0])
    history = descend(0.1, weight)
    assert abs(weight).max() < 1e-8 and history.first_loss == 25 and history.loss == sorted(history.loss)[::-1]
    weight = np.array([3.0, -4.0])
    with pytest.raises(Diverged, match="learning rate 3 is too high"):
        descend(3.0, weight)
    assert weight.tolist() == [3, -4]


# --- networks


class Problem:
    """Learn a line from 40 noisy points with a network that has dropout; everything drawn from one seed."""

    def __init__(self, learning_rate: float = 0.01, sign: int = -1) -> None:
        self.sign = sign  # 1: the higher the loss, the better the score, and an early epoch is the best
        self.generator = torch.Generator().manual_seed(5)
        self.x = torch.randn(40, 3, generator=self.generator)
        self.y = self.x @ tensor([1.0, -2.0, 0.5]) + 0.1 * torch.randn(40, generator=self.generator)
        with seeded(0):
            self.net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=learning_rate)
        self.modes: list[bool] = []

    def loss(self, rows: Tensor) -> Tensor:
        return (self.net(self.x[rows])[:, 0] - self.y[rows]).square().mean()

    def batches(self):
        return torch.randperm(40, generator=self.generator).split(8)

    def score(self) -> float:
        self.modes.append(self.net.training or torch.is_grad_enabled())
        return self.sign * self.loss(torch.arange(40)).item()

    def train(self, epochs: int = 12, **options) -> History:
        batches = options.pop("batches", self.batches)
        settings = {"optimizer": self.optimizer, "generator": self.generator, "score": self.score, **options}
        return train(self.net, self.loss, batches, epochs=epochs, **settings)

    def weights(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.net.parameters()])


def test_a_network_learns_and_is_left_in_evaluation_mode():
    problem = Problem()
    history = problem.train(60)
    assert history.loss[-1] < history.loss[0] / 3 and not problem.net.training
    assert history.score[history.best_epoch - 1] == max(history.score) == pytest.approx(problem.score())


def test_validation_runs_in_evaluation_mode_without_gradients_and_training_in_training_mode():
    problem, seen = Problem(), []
    problem.net.register_forward_pre_hook(lambda net, _: seen.append(net.training))
    problem.train(2)
    assert seen == ([True] * 5 + [False]) * 2 and not any(problem.modes)


def test_the_same_seed_gives_the_same_weights_whatever_the_global_generator_did_and_leaves_it_alone():
    found = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        problem = Problem()
        before = torch.get_rng_state()
        problem.train()
        assert torch.equal(torch.get_rng_state(), before)
        found.append(problem.weights())
    assert torch.equal(*found)


def test_a_network_whose_learning_rate_is_too_high_is_stopped_with_its_best_weights():
    problem = Problem(learning_rate=100)
    start = problem.weights()
    with pytest.raises(Diverged, match="learning rate 100 is too high"):
        problem.train()
    assert torch.equal(problem.weights(), start) and not problem.net.training


def test_on_a_cpu_nothing_is_rounded_to_bfloat16():
    problem, types = Problem(), set()
    problem.net.register_forward_hook(lambda net, x, y: types.add(y.dtype))
    problem.train(1)
    assert types == {torch.float32} and not autocast(torch.device("cpu"))._enabled


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_the_forward_pass_runs_in_bfloat16_and_weights_stay_float32():
    problem, types = Problem(), set()
    problem.net.cuda()
    problem.x, problem.y = problem.x.cuda(), problem.y.cuda()
    problem.optimizer = torch.optim.Adam(problem.net.parameters(), lr=0.01)
    problem.net.register_forward_hook(lambda net, x, y: types.add((net.training, y.dtype)))
    problem.train(2)
    assert (True, torch.bfloat16) in types
    assert {p.dtype for p in problem.net.parameters()} == {torch.float32}


# --- checkpoints


def interrupted_after(problem: Problem, n_steps: int):
    """Batches that end in an error in the middle of an epoch."""
    left = iter(range(n_steps))

    def batches():
        for rows in problem.batches():
            if next(left, None) is None:
                raise KeyboardInterrupt
            yield rows

    return batches


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("n_steps", [3, 5, 23, 58])
def test_an_interrupted_training_ends_with_exactly_the_weights_of_an_uninterrupted_one(tmp_path, n_steps, sign):
    whole, broken, resumed = (Problem(sign=sign) for _ in range(3))
    history, path = whole.train(), tmp_path / "training.pt"
    with pytest.raises(KeyboardInterrupt):
        broken.train(batches=interrupted_after(broken, n_steps), checkpoint=path)
    if path.exists():
        with seeded(77):
            resumed.net[0].reset_parameters()  # whatever was there is replaced
    again = resumed.train(checkpoint=path)
    assert torch.equal(resumed.weights(), whole.weights())
    assert (again.loss, again.score, again.best_epoch) == (history.loss, history.score, history.best_epoch)
    assert again.first_loss == history.first_loss


def test_a_resumed_training_remembers_its_best_epoch_and_how_long_it_has_waited(tmp_path):
    scores = [0.1, 0.4, 0.3, 0.2, 0.1, 0.0]
    first = Counter(scores=scores)
    first.run(epochs=3, patience=3, checkpoint=tmp_path / "c.pt")
    second = Counter(scores=scores)
    second.epoch_number = 3
    history = second.run(epochs=9, patience=3, checkpoint=tmp_path / "c.pt")
    assert len(history) == 5 and history.best_epoch == 2 and float(second.weight) == 2


def test_a_finished_training_is_not_repeated_and_a_longer_one_goes_on_from_its_last_epoch(tmp_path):
    path = tmp_path / "training.pt"
    short, long, whole = Problem(), Problem(), Problem()
    short.train(4, checkpoint=path)
    assert len(Problem().train(4, checkpoint=path, batches=interrupted_after(short, 0))) == 4
    long.train(9, checkpoint=path)
    whole.train(9)
    assert torch.equal(long.weights(), whole.weights())


def test_a_checkpoint_is_written_aside_and_renamed_so_that_the_old_one_survives_a_crash(tmp_path, monkeypatch):
    path = tmp_path / "training.pt"
    Problem().train(2, checkpoint=path)
    before = path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["training.pt"]

    def half_written(state, target):
        assert target != path
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half_written)
    with pytest.raises(OSError, match="disk full"):
        Problem().train(5, checkpoint=path)
    assert path.read_bytes() == before


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "training.pt"
    Problem().train(1, checkpoint=path)
    with pytest.raises(ValueError, match=r"training\.pt belongs to another training: remove it or name another"):
        Problem(learning_rate=0.02).train(2, checkpoint=path)
    with pytest.raises(ValueError, match="belongs to another training"):
        Counter().run(learning_rate=0.01, checkpoint=path)


def test_a_checkpoint_holds_nothing_but_numbers(tmp_path):
    path = tmp_path / "training.pt"
    Problem().train(1, checkpoint=path)
    state = torch.load(path, weights_only=True)
    assert state["history"]["loss"] and state["generator"].dtype == torch.uint8


# --- warm-up and clipping


def rates(n_steps: int, **options) -> list[float]:
    """The learning rate that each of so many steps is made with, where 0.08 is the full one."""
    weight, seen = nn.Linear(1, 1), []
    optimizer = torch.optim.SGD(weight.parameters(), lr=0.08)

    def loss(_) -> Tensor:
        seen.append(optimizer.param_groups[0]["lr"])
        return 0 * weight.weight.sum()

    train(weight, loss, lambda: range(n_steps), optimizer=optimizer, epochs=1, generator=torch.Generator(), **options)
    return seen


def test_the_learning_rate_rises_in_a_straight_line_to_its_full_value_and_stays_there():
    assert rates(6, warmup=4) == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.08, 0.08])
    assert rates(3, warmup=1) == rates(3) == [0.08] * 3


def test_the_learning_rate_falls_in_a_straight_line_to_nothing_and_both_lines_multiply():
    assert rates(5, decay=4) == pytest.approx([0.08, 0.06, 0.04, 0.02, 0])
    assert rates(4, warmup=2, decay=4) == pytest.approx([0.04, 0.06, 0.04, 0.02])


def test_warm_up_counts_steps_across_epochs_and_an_interruption_changes_no_weight(tmp_path):
    plain, whole = Problem(), Problem()
    plain.train()
    history = whole.train(warmup=23, decay=80)
    assert not torch.equal(plain.weights(), whole.weights())
    for n_steps in (3, 12, 23, 58):  # before the first checkpoint, in the warm-up, at its end, after it
        broken, resumed, path = Problem(), Problem(), tmp_path / f"{n_steps}.pt"
        with pytest.raises(KeyboardInterrupt):
            broken.train(batches=interrupted_after(broken, n_steps), checkpoint=path, warmup=23, decay=80)
        assert path.exists() == (n_steps > 4)
        again = resumed.train(checkpoint=path, warmup=23, decay=80)
        assert torch.equal(resumed.weights(), whole.weights()) and again.loss == history.loss


def test_a_training_that_diverges_in_its_warm_up_names_the_full_learning_rate():
    problem = Problem(learning_rate=10_000)
    with pytest.raises(Diverged, match="learning rate 10000 is too high"):
        problem.train(warmup=1000)


@pytest.mark.parametrize(("clip", "step"), [(5.0, [3.0, 4.0]), (50.0, [30.0, 40.0]), (99.0, [30.0, 40.0])])
def test_a_gradient_that_is_too_long_keeps_its_direction_and_gets_the_length_asked_for(clip, step):
    net = nn.Linear(2, 1, bias=False)
    before, slope = net.weight.detach().clone(), tensor([30.0, 40.0])  # a gradient of length 50
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    settings = {"optimizer": optimizer, "epochs": 1, "generator": torch.Generator()}
    train(net, lambda _: (net.weight * slope).sum(), lambda: [0], clip=clip, **settings)
    torch.testing.assert_close((before - net.weight)[0], tensor(step), atol=1e-4, rtol=1e-4)


def test_impossible_warm_ups_and_clippings_are_refused():
    with pytest.raises(ValueError, match="warmup is a number of steps, 0 for none, got -1"):
        Problem().train(warmup=-1)
    with pytest.raises(ValueError, match="decay is a number of steps, at least 1"):
        Problem().train(decay=0)
    for wrong in (0, -1.0, NAN):
        with pytest.raises(ValueError, match="clip must be above 0, or None to leave gradients as they are, got"):
            Problem().train(clip=wrong)


# --- progress


@pytest.mark.parametrize(("terminal", "disabled", "shown"), [(True, "", True), (True, "1", False), (False, "", False)])
def test_a_progress_bar_is_shown_to_a_person_alone_and_leaves_nothing(monkeypatch, terminal, disabled, shown):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TQDM_DISABLE", disabled)
    Counter().run()
    assert ("training" in stream.getvalue()) is shown
    assert stream.getvalue().rsplit("\r", 1)[-1].strip() == ""


def test_a_notebook_counts_as_a_person(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "")
    monkeypatch.setattr(sys, "stderr", type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})())
    assert loop._watched()
