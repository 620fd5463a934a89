"""``recsys-course grade``: one weak answer, graded by the learner."""

from recsys_course.interview import grading, reviews, weak_answer
from recsys_course.interview.screen import Ended, Screen


def grade(answer: str | None = None, list: bool = False, lang: str = "both", screen: Screen | None = None) -> int:
    """Grade one answer, or list them all.

    Args:
        answer: its id; None takes one that was not graded yet, of the weakest topic.
        list: print what there is.
        lang: language of question and answer, ``en``, ``zh`` or ``both``.
        screen: where to; None takes the terminal.

    Raises:
        PracticeError: there is no such answer.
    """
    if list:
        print(grading.answers())
        print("\nrecsys-course grade C03.a takes one of them.")
        return 0
    screen = screen or Screen()
    every = weak_answer.all_answers()
    name = answer or grading.next_answer(every, reviews.read()).id
    try:
        grading.sit(screen, name, lang)
    except (Ended, KeyboardInterrupt):
        screen.say("\nStopped. A grading is kept as soon as its points are ticked.")
        return 0
    done = {(review.item, review.rev) for review in reviews.read() if review.mode == "grade"}
    left = sum((one.id, one.rev) not in done for one in every)
    screen.say(f"\n`recsys-course grade` takes the next one: {left} of {len(every)} not graded yet.")
    return 0
