"""The sources of the native library. The build runs this file on its own."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest_sources(folder: Path) -> str:
    """Return the SHA-256 of the C files in a folder, with their names, in hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.[ch]")):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
