"""Names of accounts, networks, principals and tools, from files."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.inventory.inventory import Inventory, NamedNetwork
from detector.inventory.inventory_files import InventoryError, InventoryFiles, read_inventory


def written(folder: Path, text: str, name: str = "names.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_accounts_are_read_from_list_accounts(tmp_path: Path) -> None:
    listed = {
        "Accounts": [
            {"Id": "111122223333", "Name": "Production", "Status": "ACTIVE", "Email": "a@b"},
            {"Id": "444455556666", "Name": "Audit", "Arn": "arn:aws:organizations::1:account/x"},
        ]
    }
    inventory = read_inventory([written(tmp_path, json.dumps(listed), "accounts.json")])
    assert inventory.account("111122223333") == "Production"
    assert inventory.account("999999999999") == "999999999999"
    assert inventory.account_names(["444455556666", "9"]) == ["Audit"]


def test_later_file_renames(tmp_path: Path) -> None:
    first = written(tmp_path, '[accounts]\n111122223333 = "Old"\n', "a.toml")
    second = written(tmp_path, '[accounts]\n111122223333 = "New"\n', "b.toml")
    assert read_inventory([first, second]).account("111122223333") == "New"


def test_narrowest_network_is_named_first(tmp_path: Path) -> None:
    inventory = read_inventory(
        [
            written(
                tmp_path,
                '[networks]\ncompany = ["10.0.0.0/8", "2001:db8::/32"]\nvpn = ["10.1.0.0/16"]\n',
            )
        ]
    )
    assert inventory.network_names(["10.1.2.3"]) == ["vpn", "company"]
    assert inventory.network_names(["2001:db8::7", "10.9.9.9"]) == ["company"]
    assert inventory.network_names(["198.51.100.4", "ec2.amazonaws.com", ""]) == []


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=5),
    st.integers(0, 2**32 - 1),
)
def test_networks_hold_what_they_cover(networks: list[tuple[int, int]], number: int) -> None:
    """An address is in a network where its first bits are the network's."""
    inventory = Inventory(
        networks=tuple(
            NamedNetwork(ipaddress.ip_network((base, length), strict=False), f"{base}/{length}")
            for base, length in networks
        )
    )
    expected = {
        f"{base}/{length}"
        for base, length in networks
        if base >> (32 - length) == number >> (32 - length)
    }
    assert set(inventory.network_names([str(ipaddress.ip_address(number))])) == expected


KNOWN = """
[[known]]
name = "scanner"
principal = "arn:aws:sts::*:assumed-role/prowler/*"
owner = "sec-ops"
ticket = "CHG-9"

[[known]]
name = "pipeline"
principal = "*:role/ci"
user_agent = "Terraform/*"
"""


@pytest.mark.parametrize(
    ("arn", "agent", "names"),
    [
        ("arn:aws:sts::1:assumed-role/prowler/x", "Boto3", ["scanner"]),
        ("arn:aws:iam::1:role/ci", "Terraform/1.9", ["pipeline"]),
        ("arn:aws:iam::1:role/ci", "aws-cli/2", []),
        ("arn:aws:iam::1:role/ci-other", "Terraform/1.9", []),
        ("", "", []),
    ],
)
def test_known_caller_matches_all_that_it_names(
    arn: str, agent: str, names: list[str], tmp_path: Path
) -> None:
    inventory = read_inventory([written(tmp_path, KNOWN)])
    assert [each.name for each in inventory.callers([arn], [agent])] == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[accounts", "correct the file"),
        ('[account]\n1 = "x"\n', "unknown field `account`"),
        ('[accounts]\n1 = "x"\n', "'1' is no account id of 12 digits"),
        ('[networks]\noffice = ["10.0.0.0/40"]\n', "10.0.0.0/40"),
        ('[[known]]\nname = "x"\n', "neither principal nor user_agent"),
        ('{"Accounts": [{"Id": 1}]}', "Accounts"),
        ('{"Records": []}', "Accounts"),
    ],
)
def test_file_in_error_is_named(text: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InventoryError) as error:
        read_inventory([path])
    message = str(error.value)
    assert str(path) in message
    assert words in message
    assert "\n" not in message


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="No such file"):
        read_inventory([tmp_path / "none.toml"])


def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    path = written(tmp_path, '[accounts]\n111122223333 = "Old"\n')
    files = InventoryFiles([path])
    assert files.load().account("111122223333") == "Old"
    path.write_text('[accounts]\n111122223333 = "Much newer"\n')
    assert files.load().account("111122223333") == "Much newer"
    path.write_text("[accounts")
    with pytest.raises(InventoryError):
        files.load()
    assert files.load().account("111122223333") == "Much newer"
    os.unlink(path)
    with pytest.raises(InventoryError):
        files.load()
    assert files.load().account("111122223333") == "Much newer"
