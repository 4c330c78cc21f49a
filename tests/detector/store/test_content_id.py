"""The numbers of what is stored once."""

from __future__ import annotations

import subprocess
import sys

from detector.store.packing.content_id import content_id, name_number

CODE = """
from detector.store.packing.content_id import content_id, name_number
print(content_id(b"body"), name_number("AKIA1"))
"""


def test_number_of_a_body_cannot_be_foretold_and_that_of_a_name_is_the_same_everywhere() -> None:
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    elsewhere, name = map(int, ran.stdout.split())
    assert content_id(b"body") == content_id(b"body") != elsewhere
    assert name_number("AKIA1") == name


def test_names_of_accounts_have_negative_numbers() -> None:
    assert name_number("111122223333") < 0 <= name_number("AKIA1")
