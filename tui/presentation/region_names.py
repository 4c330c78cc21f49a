"""Short names of regions."""

from __future__ import annotations

_SHORT_DIRECTIONS = {
    "north": "n", "northeast": "ne", "east": "e", "southeast": "se",
    "south": "s", "southwest": "sw", "west": "w", "northwest": "nw", "central": "c",
}  # fmt: skip


def short_region(region: str) -> str:
    """Shorten ``ap-northeast-1`` to ``ap-ne-1``.

    Only the compass word is shortened, so short names stay unique in every partition:
    ``us-gov-east-1`` becomes ``us-gov-e-1``. Other text is unchanged.
    """
    return "-".join(_SHORT_DIRECTIONS.get(word, word) for word in region.split("-"))
