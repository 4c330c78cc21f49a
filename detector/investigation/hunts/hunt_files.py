"""Hunt files read as hunts: name, description, and named queries."""

from __future__ import annotations

from pathlib import Path

from detector.investigation.hunt import read_hunt


def texts_of_hunt_file(path: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return a hunt file's texts and its queries as (name, text).

    Raises RuleError.
    """
    hunt, _ = read_hunt(path)
    texts = {"name": hunt.name or path.stem, "hypothesis": hunt.description.strip()}
    queries = list(hunt.queries)
    names = hunt.notes if len(hunt.notes) == len(queries) else []
    if len(queries) == 1 and not names:
        return texts, [(texts["name"], queries[0].strip())]
    return texts, [
        (names[index] if names else f"query {index + 1}", text.strip())
        for index, text in enumerate(queries)
    ]
