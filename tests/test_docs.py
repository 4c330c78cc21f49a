"""The documentation is true: links, commands, pictures and named tests."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import msgspec
import pytest

from detector.inventory.inventory_files import read_inventory
from docs.man_page import PAGE, man_page
from tui.commandline.parser import command_parser
from tui.settings.config import Config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
IMAGES = ROOT / "docs" / "images"


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert not [
        link for link in links(page) if "://" not in link and not (page.parent / link).exists()
    ]


def test_service_and_cron_lines_parse() -> None:
    """The unit of systemd and the line of cron in the docs start what they say."""
    text = (ROOT / "docs" / "handover.md").read_text(encoding="utf-8")
    lines = re.findall(r"^ExecStart=\S+/trailhound (.*)$|^[\d* ]+ trailhound (.*)$", text, re.M)
    assert len(lines) == 2
    for service, cron in lines:
        command_parser().parse_args(shlex.split(service or cron))


def test_files_of_names_are_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "handover.md").read_text(encoding="utf-8")
    config, names = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert list(tomllib.loads(config)) == ["inventory"]
    (tmp_path / "names.toml").write_text(names)
    inventory = read_inventory([tmp_path / "names.toml"])
    assert inventory.network_names(["10.8.0.1"]) == ["vpn"]
    assert [each.ticket for each in inventory.known] == ["CHG-9"]


def test_pictures_are_shown_and_harmless() -> None:
    shown = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in links(page)
        if link.endswith(".svg")
    }
    assert shown == set(IMAGES.glob("*.svg"))
    for picture in shown:
        text = picture.read_text(encoding="utf-8")
        assert picture.stat().st_size < 100_000
        assert not any(
            fetched in text for fetched in ("@font-face", "url(http", "href", "<script", "<image")
        )
        assert all(line.isprintable() for line in text.replace("\t", "").splitlines())


def test_expectations_name_existing_tests() -> None:
    named = re.findall(
        r"`(tests/[\w/]+\.py)::(\w+)`",
        (ROOT / "docs" / "expectations.md").read_text(encoding="utf-8"),
    )
    assert len(named) > 30
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / file).read_text(encoding="utf-8"), (file, test)


def test_table_of_rule_languages_names_existing_tests() -> None:
    """Each row of what is read and what is refused says which test shows it."""
    table = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    _, _, table = table.partition("## What is read, and what is refused\n")
    rows = [line for line in table.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    for row in rows[1:]:
        match = re.search(r"\| `([\w/]+\.py)::(test_\w+)` \|$", row)
        assert match, row
        file = ROOT / "tests" / "detector" / match[1]
        assert f"def {match[2]}(" in file.read_text(encoding="utf-8"), row


def test_man_page_is_current() -> None:
    """``UPDATE_GOLDENS=1`` writes it anew."""
    if os.environ.get("UPDATE_GOLDENS"):
        PAGE.write_text(man_page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == man_page(), "make man writes it anew"


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_man_reads_the_page() -> None:
    environment = {**os.environ, "MANPAGER": "cat", "MANWIDTH": "80", "MANROFFOPT": "-ww"}
    ran = subprocess.run(
        ["man", "-l", str(PAGE)], env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    for words in ("EXIT STATUS", "trailhound suppress add", "--allow-bucket BUCKET"):
        assert words in ran.stdout


def test_wheel_brings_the_man_page() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    data = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert data == {PAGE.relative_to(ROOT).as_posix(): "share/man/man1/trailhound.1"}


def test_packages_say_that_they_are_typed() -> None:
    assert (ROOT / "detector" / "py.typed").exists() and (ROOT / "tui" / "py.typed").exists()


def test_every_key_of_the_configuration_is_listed() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    table = page[: page.index("## Colours")]
    for field in msgspec.structs.fields(Config):
        assert re.search(rf"`\[?{field.name}(\.NAME)?\]?`", table), field.name
