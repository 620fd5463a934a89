"""``recsys-course design``: lists the designs, practises one by the clock, or prints its model answer."""

from recsys_course.interview import design_review, designs
from recsys_course.interview.design_page import answer_sections, statement
from recsys_course.interview.screen import Screen


def design(name: str | None = None, lang: str = "both", show: bool = False, screen: Screen | None = None) -> int:
    """Do what the options say; returns the exit status.

    Raises:
        PracticeError: there is no such design, or notes cannot be written.
    """
    screen = screen or Screen()
    if name is None:
        screen.console.print(designs.table(), markup=False)
        screen.say("\nrecsys-course design SD1 practises one.")
    elif show:
        _show(screen, name, lang)
    else:
        designs.practise(screen, name, lang)
    return 0


def _show(screen: Screen, name: str, language: str) -> None:
    found = designs.load(name)
    screen.head(f"{found.id} {found.title}")
    screen.say(statement(found, language))
    for headline, text in answer_sections(found):
        screen.head(headline)
        screen.say(design_review.plain(text))
