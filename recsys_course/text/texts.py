"""What an encoder reads: a text for each film, and what is refused."""

from collections.abc import Sequence

from recsys_course.data import Dataset


def film_texts(dataset: Dataset) -> list[str]:
    """What an encoder reads of each item: title, year and genres; ``[n_items]``.

    The first of MovieLens is ``Toy Story (1995): Animation, Children's, Comedy``.
    """
    pairs = zip(dataset.titles, dataset.items["genres"], strict=True)
    return [f"{title}: {', '.join(genres)}" if genres else title for title, genres in pairs]


def check_texts(texts: Sequence[str]) -> None:
    """Refuse what has no vector.

    Raises:
        ValueError: a bare string, an empty list, an empty text, something that is no text, half a character.
    """
    if isinstance(texts, str):
        raise ValueError("texts must be a list: for a single text write [text]")
    if not len(texts):
        raise ValueError("there is no text to encode: the list is empty")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"texts[{row}] is {type(text).__name__}, not a string: fill gaps before you encode")
        if not text.strip():
            raise ValueError(f"texts[{row}] is empty and has no vector: leave it out or give it a title")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError(f"texts[{row}] holds half a character: read the file again, as UTF-8")
