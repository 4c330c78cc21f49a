"""Text compared without regard to case."""

from __future__ import annotations


def fold(text: str) -> str:
    """Fold the case of a text, one character for one: lengths and positions stay.

    A letter that Unicode folds to several (``ß``) stays itself.
    """
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_character, text))


def _fold_character(character: str) -> str:
    folded = character.casefold()
    if len(folded) > 1:
        return character
    return folded
