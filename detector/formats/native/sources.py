"""What the native library is built from. The build runs this file by itself."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest_sources(folder: Path) -> str:
    """Return the SHA-256 of the C files in a folder, in hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.[ch]")):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
