"""Print a CycloneDX bill of materials of what an installation of the wheel brings.

Reads the report of ``pip install --dry-run --report``.
"""

import json
import sys
from pathlib import Path

report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
components = [
    {
        "type": "library",
        "name": metadata["name"],
        "version": metadata["version"],
        "purl": f"pkg:pypi/{metadata['name'].lower().replace('_', '-')}@{metadata['version']}",
        "hashes": [
            {"alg": "SHA-256", "content": content}
            for algorithm, content in item["download_info"]["archive_info"]["hashes"].items()
            if algorithm == "sha256"
        ],
    }
    for item in report["install"]
    for metadata in [item["metadata"]]
]
components.sort(key=lambda component: component["name"].lower())
json.dump(
    {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components},
    sys.stdout,
    indent=1,
)
print()
