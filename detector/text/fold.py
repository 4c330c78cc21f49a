"""Case folding for case-insensitive comparison."""

from __future__ import annotations


def fold(text: str) -> str:
    """Fold the case of a text one character at a time, so lengths and positions stay the same.

    A letter that Unicode folds to several letters (``ß``) is left as it is.
    """
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_character, text))


def _fold_character(character: str) -> str:
    folded = character.casefold()
    if len(folded) > 1:
        return character
    return folded
