"""The configuration file: defaults for options of the command line, and further settings.

# config.toml in the configuration folder that `trailhound status` names
asn_db = "/path/to/GeoLite2-ASN.mmdb"
geo_db = "/path/to/GeoLite2-City.mmdb"
rules = ["/path/to/rules"]
db = "/path/to/hunt.db"
retention = "31d"
sources = ["/path/to/AWSLogs"]  # what the app opens if the command line names nothing
inventory = ["accounts.json", "names.toml"]  # names of accounts, networks, known callers
allow_buckets = ["trail-logs"]  # more buckets that a queue's messages may refer to
theme = "light"
author = "ana"              # who makes decisions, if not the user of this system
require = ["ticket", "owner", "reason"]  # what every suppression must have
bell = "critical"           # lowest severity at which new alerts ring: "high", …, or "off"

[placeholders]              # the values of %name% in Sigma rules (`expand`)
admins = ["root", "svc-*"]

[lookups.owners]            # tables that `enrich` and `lookup join` name in rules and hunts
file = "/path/to/owners.csv"    # CSV or Parquet
key = "account"                 # the column that `enrich owners` looks up

[keys]                      # `trailhound keys` lists the ids
"alert.acknowledge" = "A"
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import tomli
from platformdirs import user_config_path, user_data_path

from detector.esql.lookup.files import LookupSource
from tui.settings.errors import CommandError

THEME_NAMES = ("dark", "light", "contrast", "ansi")
REQUIRABLE = ("ticket", "owner", "reason")
BELLS = ("low", "medium", "high", "critical", "off")


class LookupFile(msgspec.Struct, forbid_unknown_fields=True):
    """A table of ``[lookups]``: its file, and the column that ENRICH matches on."""

    file: str
    key: str


class Config(msgspec.Struct, forbid_unknown_fields=True):
    """The keys of the configuration file."""

    asn_db: str | None = None
    geo_db: str | None = None
    rules: list[str] = []
    db: str | None = None
    retention: str | None = None
    sources: list[str] = []
    inventory: list[str] = []
    allow_buckets: list[str] = []
    theme: str | None = None
    author: str | None = None
    placeholders: dict[str, list[str]] = {}
    lookups: dict[str, LookupFile] = {}
    require: list[str] = []
    bell: str = "critical"
    keys: dict[str, str | list[str]] = {}

    def __post_init__(self) -> None:
        if self.theme is not None and self.theme not in THEME_NAMES:
            raise ValueError(f"no theme {self.theme!r}, there are {', '.join(THEME_NAMES)}")
        unknown = [name for name in self.require if name not in REQUIRABLE]
        if unknown:
            raise ValueError(f"require: no field {unknown[0]!r}, there are {', '.join(REQUIRABLE)}")
        if self.bell not in BELLS:
            raise ValueError(f"bell: no severity {self.bell!r}, there are {', '.join(BELLS)}")


def config_path() -> Path:
    return user_config_path("trailhound") / "config.toml"


def load_config() -> Config:
    """Read the configuration; return defaults if there is no file. Raises CommandError."""
    try:
        return msgspec.convert(tomli.loads(config_path().read_text(encoding="utf-8")), Config)
    except FileNotFoundError:
        return Config()
    except (OSError, ValueError) as error:
        raise CommandError(f"{config_path()}: {error}: correct the file or move it away") from None


def database_path(named: str | None, configured: str | None) -> Path | None:
    """Return the path of an address database from the command line, else the configured one."""
    name = named or configured
    if not name:
        return None
    return Path(name).expanduser()


def lookup_sources() -> dict[str, LookupSource]:
    """Return the file and key of each configured lookup table, by name. Raises CommandError."""
    return {
        name: LookupSource(Path(lookup.file).expanduser(), lookup.key)
        for name, lookup in load_config().lookups.items()
    }


def state_path(db: str | None) -> Path:
    """Return the path of the state to use.

    ``db`` takes precedence over the configuration, and both over ``hunt.db`` in the data folder.
    """
    name = db or load_config().db
    if name:
        return Path(name).expanduser()
    return user_data_path("trailhound") / "hunt.db"
