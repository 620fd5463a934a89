"""The bank as a deck for Anki: one note a question, with a card for its English prompt and one for its Chinese.

What Anki knows a note, a model and a deck by is fixed for ever: a later export changes the texts of the notes that a
learner has and leaves their dates alone. Anki replaces a text only where the new one was modified later, and the day
of the release is what counts as that: between two releases an import adds new questions and changes no old ones.
Where a card stands in the course's own schedule is not exported; Anki schedules on its own.
"""

import itertools
import os
import sqlite3
import tempfile
import uuid
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from recsys_course.interview import bank
from recsys_course.interview.anki_html import to_html, to_text
from recsys_course.interview.bank import Question, answers_up_to
from recsys_course.interview.outcome import PracticeError

if TYPE_CHECKING:
    import genanki

RELEASED = date(2026, 11, 23)  # the newest dated release of CHANGELOG.md
# Never change these, the names and the order of the fields, or the names of the templates: Anki would see other notes.
MODEL_ID = 1_598_210_447
PARENT_ID = 1_731_064_300  # of the deck above all; topic A is the next number, topic B the one after
MODEL_NAME, DECK_NAME, NAMESPACE = "Recommender interview", "Recommender interview", "recsys-course"
SPARE = ("Spare1", "Spare2", "Spare3")  # so that something new finds a place
FIELDS = ("Id", "About", "Prompt", "PromptZh", "Insight", "Answer", "Wrong", "Links", *SPARE)
NO_CHINESE = "<p><small>(no Chinese prompt yet)</small></p>"

ABOUT = '<p class="about">{{Id}} · {{About}}</p>'
BACK = (
    '{{FrontSide}}<hr id="answer"><div class="insight">{{Insight}}</div>'
    '{{Answer}}<p><strong>Commonly said, and wrong</strong></p>{{Wrong}}<div class="about">{{Links}}</div>'
)
TEMPLATES = tuple(
    {"name": name, "qfmt": f"{{{{#{field}}}}}{ABOUT}{{{{{field}}}}}{{{{/{field}}}}}", "afmt": BACK}
    for name, field in (("English", "Prompt"), ("Chinese", "PromptZh"))
)
STYLE = """\
.card { font: 18px/1.5 system-ui, sans-serif; max-width: 42em; margin: 0 auto; text-align: left; }
.about, small { font-size: 75%; opacity: 0.75; }
.insight { border-left: 4px solid; padding-left: 0.8em; }
table { border-collapse: collapse; } th, td { border: 1px solid; padding: 0.2em 0.6em; }
"""


def export(path: Path, lang: str = "both", released: date = RELEASED) -> str:
    """Write all questions as a deck and return what was done, in a sentence.

    Args:
        path: a file that ends in ``.apkg``; one that is there is replaced.
        lang: ``en``, ``zh`` or ``both``: which cards a question gets. Without a Chinese prompt, ``zh`` falls back to
            the English one, with a remark. Who changes the language of a deck later gets rid of blank cards by
            Anki's Tools, Empty Cards.
        released: what Anki takes for the day of the last change.

    Raises:
        PracticeError: the name does not end in ``.apkg``, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".apkg":
        raise PracticeError(f"{path.name}: Anki opens only files that end in .apkg, give it such a name")
    made = decks(bank.all_questions(), lang)
    try:
        _write(made, path, released)
    except OSError as error:
        raise PracticeError(f"{path} cannot be written ({error.strerror}): give a folder that is there") from error
    cards = [card.ord for deck in made for note in deck.notes for card in note.cards]
    counts = f"{cards.count(0)} cards in English, {cards.count(1)} in Chinese"
    notes = sum(len(deck.notes) for deck in made)
    return f"{path.name}: {notes} questions, {counts}. In Anki: File, Import. A later release updates it in place."


def fields(question: Question, lang: str = "both") -> dict[str, str]:
    """The fields of a question's note, as HTML, in the order of ``FIELDS``."""
    english, chinese = to_html(question.prompt), to_html(question.prompt_zh) if question.prompt_zh else ""
    if lang == "zh":
        english = "" if chinese else english + NO_CHINESE
    texts = {
        "Id": to_text(question.id),
        "About": to_text(f"{question.level} · {question.minutes} min"),
        "Prompt": english,
        "PromptZh": "" if lang == "en" else chinese,
        "Insight": to_html(question.key_insight),
        "Answer": to_html(_answers(question)),
        "Wrong": to_html(_list(question.wrong_answers)),
        "Links": to_html("\n".join((question.related, *_sources(question)))),
    }
    return {name: texts.get(name, "") for name in FIELDS}


def tags(question: Question) -> list[str]:
    """What a question is found by in Anki; none has a space."""
    own = [f"topic::{question.topic}", f"level::{question.level}", f"round::{question.round}", *question.tags]
    return ["recsys::" + "-".join(tag.split()) for tag in own + ["reported"] * question.reported]


def decks(questions: Sequence[Question], lang: str = "both") -> "list[genanki.Deck]":
    """The deck of the course and one below it for each topic that has a question."""
    import genanki

    model, notes = _model(), defaultdict(list)
    for question in questions:
        guid = genanki.guid_for(NAMESPACE, question.id)
        values = list(fields(question, lang).values())
        notes[question.topic].append(genanki.Note(model, values, tags=tags(question), guid=guid))
    found = [genanki.Deck(PARENT_ID, DECK_NAME, "Questions of the course on recommender systems.")]
    for topic in yaml.safe_load((bank.BANK / "topics.yaml").read_text(encoding="utf-8")):
        if topic["code"] in notes:
            found.append(_topic_deck(topic))
            found[-1].notes = notes[topic["code"]]
    return found


def _topic_deck(topic: dict[str, str]) -> "genanki.Deck":
    """In every language by the same name, by which Anki finds it again."""
    import genanki

    number = PARENT_ID + 1 + ord(topic["code"]) - ord("A")
    return genanki.Deck(number, f"{DECK_NAME}::{topic['code']} {topic['en']}", topic["zh"])


def _model() -> "genanki.Model":
    import genanki

    named = [{"name": name} for name in FIELDS]
    templates = [dict(template) for template in TEMPLATES]
    return genanki.Model(MODEL_ID, MODEL_NAME, named, templates, css=STYLE)


def _answers(question: Question) -> str:
    return "\n\n".join(f"**{name.capitalize()}**\n\n{text}" for name, text in answers_up_to(question))


def _sources(question: Question) -> list[str]:
    return [f"- \\[{number}\\] {text}" for number, text in enumerate(question.sources, 1)]


def _list(texts: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _write(made: "list[genanki.Deck]", path: Path, released: date) -> None:
    """The same questions and date give the same bytes."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in (("collection.anki2", _collection(made, released)), ("media", b"{}")):
                member = zipfile.ZipInfo(name, (released.year, released.month, released.day, 0, 0, 0))
                file.writestr(member, content, zipfile.ZIP_DEFLATED)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _collection(made: "list[genanki.Deck]", released: date) -> bytes:
    import genanki

    stamp = int(datetime(released.year, released.month, released.day, tzinfo=UTC).timestamp())
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "collection.anki2"
        with closing(sqlite3.connect(database)) as connection:
            genanki.Package(made).write_to_db(connection.cursor(), stamp, itertools.count(stamp * 1000))
            connection.commit()
        return database.read_bytes()
