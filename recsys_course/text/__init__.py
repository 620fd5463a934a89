"""Text to vectors with a pre-trained encoder: tokenise, batch by length, pool, remember.

``TextEncoder().encode(film_texts(movies))`` gives a vector for each film. The weights come from
``recsys_course.assets``; the vectors are kept in the same cache, so that a second run takes no time.
"""

from recsys_course.text.encoder import TextEncoder
from recsys_course.text.geometry import anisotropy, remove_top, whiten
from recsys_course.text.multilingual import MultilingualEncoder
from recsys_course.text.pooling import pad, pool
from recsys_course.text.texts import film_texts

__all__ = [
    "MultilingualEncoder",
    "TextEncoder",
    "anisotropy",
    "film_texts",
    "pad",
    "pool",
    "remove_top",
    "whiten",
]
