"""The configuration: an INI file in which every key is known and every value is checked before anything is rented."""

import ast
import configparser
import difflib
import ipaddress
import os
import re
import urllib.parse
from pathlib import Path

from .basics import USAGE, Failure, complain


AUTO = -1  # of volume.create_gb: as much as the job takes


def word(pattern, meaning):
    def check(text):
        if not re.fullmatch(pattern, text):
            raise ValueError(meaning)
        return text
    return check


def whole(lowest, highest):
    def check(text):
        if not re.fullmatch("[0-9]{1,9}", text) or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)
    return check


def number(lowest, highest):
    def check(text):
        right = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text)
        if not right or not lowest <= float(text) <= highest:
            form = "" if right else f", such as 1.30{', without $' if '$' in text else ''}"
            raise ValueError(f"a number from {lowest:g} to {highest:g}{form}")
        return float(text)
    return check


def power_of_two(lowest, highest):
    def check(text):
        value = whole(lowest, highest)(text)
        if value & (value - 1):
            raise ValueError(f"a power of two from {lowest} to {highest}")
        return value
    return check


def or_nothing(check):
    """A key that may be left out, and then is None."""
    return lambda text: check(text) if text else None


def one_of(*allowed):
    return word("|".join(allowed), " or ".join(allowed))


def names(text):
    found = [name.strip() for name in text.split(",") if name.strip()]
    if len(set(found)) != len(found):
        raise ValueError("each name once")
    return found


def words(text):
    """Names that have no blanks."""
    found = names(text)
    if any(re.search(r"\s", name) for name in found):
        raise ValueError("names that are separated by commas")
    return found


def address(text):
    """The key goes there: encrypted, unless the line does not leave the machine or the private network of a test."""
    url = urllib.parse.urlsplit(text)
    try:
        private = url.hostname == "localhost" or ipaddress.ip_address(url.hostname or "").is_private
    except ValueError:
        private = False
    safe = url.scheme == "https" or url.scheme == "http" and private
    if not url.hostname or not safe or url.query or url.username:
        raise ValueError("an address such as https://api.runpod.io/v2")
    return text.rstrip("/")


def gigabytes(text):
    if text == "auto":
        return AUTO
    try:
        return whole(0, 4096)(text)
    except ValueError as error:
        raise ValueError(f"auto or {error}") from None


def file_name(text):
    if re.search(r"\s;", text):
        raise ValueError("the name of one file")
    return text

identifier = word(r"[A-Za-z0-9_-]{0,100}", "letters, digits, '-' and '_'")
folder_in_pod = word(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+", "a full path of letters, digits, '.', '-' and '_'")

KEYS = {  # section -> key -> (check, default); None: has to be given
    "pods": {
        "name": (word(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}", "letters, digits, '-' and '_'"), None),
        "kind": (one_of("pods", "cluster"), "pods"),
        "count": (whole(1, 64), "1"),
        "gpus": (names, None),
        "gpus_per_pod": (whole(1, 16), "1"),
        "max_price": (number(0.01, 100), None),
        "cloud": (one_of("SECURE", "COMMUNITY"), "SECURE"),
        "image": (word(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", "the name of a container image"), None),
        "min_cuda": (word(r"[0-9]{1,2}\.[0-9]", "a version such as 12.4"), "12.4"),
        "disk": (whole(5, 2000), "40"),
        "registry": (identifier, ""),
    },
    "encoders": {
        "count": (whole(0, 64), "0"),
        "flavors": (words, ""),
        "vcpus": (power_of_two(2, 512), "32"),
        "max_price": (or_nothing(number(0.01, 100)), ""),
    },
    "volume": {
        "id": (identifier, ""),
        "create_gb": (gigabytes, "0"),
        "data_center": (word(r"[A-Za-z0-9-]{0,40}", "a name such as EU-RO-1"), ""),
        "type": (one_of("STANDARD", "HIGH_PERFORMANCE"), "STANDARD"),
        "path": (folder_in_pod, "/workspace"),
        "grow_to_gb": (whole(0, 4096), "0"),
    },
    "job": {"file": (file_name, None), "input": (file_name, ""), "results": (file_name, "results")},
    "limits": {
        "max_usd": (number(0.01, 100000), None),
        "max_hours": (number(0.01, 1000), None),
        "ready_minutes": (number(0.01, 240), "20"),
        "paused_minutes": (number(0.01, 1440), "15"),
    },
    "ssh": {"key": (file_name, "~/.ssh/id_ed25519")},
    "api": {"url": (address, "https://api.runpod.io/v2"), "key_file": (file_name, "")},
    "state": {"folder": (file_name, ".vsr-pods")},
}


def nearest(name, known):
    found = difflib.get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {found[0]}?" if found else f"; there are {', '.join(known)}"


def nearest_key(section, key):
    """A key of another section is as likely as a misspelt one."""
    elsewhere = [name for name, keys in KEYS.items() if key in keys]
    return f"; it stands in [{elsewhere[0]}]" if elsewhere else nearest(key, list(KEYS[section]))


def about_comments(text):
    """A hint for a value that is none."""
    if not re.search(r"[;#]", text):
        return ""
    return "; a comment behind a value begins with a space and '#', never with ';'"


def ini_parser(strict):
    parser = configparser.RawConfigParser(strict=strict, delimiters=("=",), comment_prefixes=("#", ";"),
                                          inline_comment_prefixes=("#",), default_section="")
    parser.optionxform = str  # capitals count
    return parser


def as_written(line):
    """Before Python 3.13 a parser's error tells a line's repr."""
    try:
        return str(ast.literal_eval(line))
    except (ValueError, SyntaxError):
        return line


def what_is_wrong(error):
    """line N: what."""
    if isinstance(error, configparser.DuplicateOptionError):
        return f"line {error.lineno}: {error.section}.{error.option} is there twice"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno}: [{error.section}] is there twice"
    if hasattr(error, "lineno"):
        number, line = error.lineno, error.line.strip()
    else:
        number, line = error.errors[0][0], as_written(error.errors[0][1]).strip()
    if line.startswith("["):
        return f"line {number}: {line}: the name of a section ends with ']'"
    return f"line {number}: {line}: has to be KEY = VALUE, below the [SECTION] that it is of"


class Config:
    """Values by section and key: config["limits", "max_usd"]."""

    def __init__(self, path):
        self.path = Path(path)
        self.values = {}
        given = self.read()
        for section in given:
            if section not in KEYS:
                raise Failure(USAGE, f"{path}: there is no section [{section}]{nearest(section, list(KEYS))}")
            for key in given[section]:
                if key not in KEYS[section]:
                    raise Failure(USAGE, f"{path}: there is no {section}.{key}{nearest_key(section, key)}")
        for section, keys in KEYS.items():
            for key, (check, default) in keys.items():
                self.values[section, key] = self.value(section, key, given.get(section, {}).get(key, default), check)
        self.check_together()

    def __getitem__(self, key):
        return self.values[key]

    @classmethod
    def salvaged(cls, path):
        """Of one that is faulty, or not there: each value that is right by itself, else its default or None. Enough to
        end what is rented, never to rent."""
        config = cls.__new__(cls)
        config.path, config.values = Path(path), {}
        parser = ini_parser(strict=False)
        try:
            parser.read_string(config.path.read_text(encoding="utf-8-sig", errors="replace"))
        except (OSError, configparser.Error):
            pass  # what was read before it is known
        for section, keys in KEYS.items():
            for key, (check, default) in keys.items():
                config.values[section, key] = None if default is None else check(default)
                try:
                    config.values[section, key] = check(parser[section][key])
                except (KeyError, ValueError):
                    pass
        return config

    def read(self):
        parser = ini_parser(strict=True)
        try:
            parser.read_string(self.path.read_text(encoding="utf-8-sig"), str(self.path))
        except OSError as error:
            raise Failure(USAGE, f"{self.path}: {error.strerror}; configs/pods.ini is an example") from None
        except UnicodeDecodeError:
            raise Failure(USAGE, f"{self.path}: is no UTF-8 text") from None
        except configparser.Error as error:
            raise Failure(USAGE, f"{self.path} {what_is_wrong(error)}") from None
        return {section: dict(parser[section]) for section in parser.sections()}

    def value(self, section, key, text, check):
        if text is None:
            raise Failure(USAGE, f"{self.path}: {section}.{key} has to be given")
        try:
            return check(text)
        except ValueError as error:
            raise Failure(USAGE, f"{self.path}: {section}.{key} = {text}: has to be {error}"
                                 f"{about_comments(text)}") from None

    def check_together(self):
        def refuse(text):
            raise Failure(USAGE, f"{self.path}: {text}")
        if not self["pods", "gpus"]:
            refuse("pods.gpus names no GPU")
        if self["pods", "kind"] == "cluster" and self["pods", "count"] < 2:
            refuse("pods.count: a cluster has 2 pods at least")
        if self["pods", "kind"] == "cluster" and self["pods", "registry"]:
            refuse("pods.registry: the service knows none for clusters; use a public image")
        if self["encoders", "count"]:
            self.check_encoders(refuse)
        if self["pods", "cloud"] != "SECURE":
            refuse("pods.cloud: network volumes are for SECURE only")
        if bool(self["volume", "id"]) == bool(self["volume", "create_gb"]):
            refuse("[volume] wants either id or create_gb")
        if self["volume", "create_gb"] and not self["volume", "data_center"]:
            refuse("volume.create_gb wants volume.data_center")
        if 0 < self["volume", "create_gb"] < 10:
            refuse("volume.create_gb: 10 at least")
        if 0 < self["volume", "grow_to_gb"] < self["volume", "create_gb"]:
            refuse("volume.grow_to_gb is below volume.create_gb; a volume never shrinks")

    def check_encoders(self, refuse):
        if not self["encoders", "flavors"]:
            refuse("encoders.flavors names none, such as cpu5c, cpu3c")
        if not self["encoders", "max_price"]:
            refuse("encoders.max_price has to be given: dollars an hour for one pod, at most")
        if self["pods", "kind"] == "cluster":
            refuse("encoders.count: there are none beside a cluster; set it to 0, or pods.kind = pods")

    def file(self, section, key):
        """A file name of the configuration: relative to its folder; ~ is the home. In full, since rsync takes a ':' for
        another machine's and a '-' for an option."""
        return (self.path.parent / os.path.expanduser(self[section, key])).absolute()

    def folder(self):
        """Where the job is on the volume, as the pods see it."""
        return f"{self['volume', 'path']}/{self['pods', 'name']}"

    def gpus_of_one(self):
        """GPUs that are rented at once: those of a pod, or of a cluster."""
        return self["pods", "gpus_per_pod"] * (self["pods", "count"] if self["pods", "kind"] == "cluster" else 1)

    def places(self):
        return 1 if self["pods", "kind"] == "cluster" else self["pods", "count"]


def api_key(key_file):
    """From the file, or the environment, where no child of ours finds it any more; never from a command line, which
    others can read."""
    given = os.environ.pop("RUNPOD_API_KEY", "").strip()
    where = str(key_file) if key_file else "RUNPOD_API_KEY"
    try:
        key = key_file.read_text().strip() if key_file else given
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(USAGE, f"api.key_file {key_file}: {getattr(error, 'strerror', None) or 'is no text'}") from None
    if not key:
        raise Failure(USAGE, f"{where}: no API key; make one at the console's settings, and set RUNPOD_API_KEY or "
                             "api.key_file")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise Failure(USAGE, f"{where}: holds something that is no API key")
    if key_file and key_file.stat().st_mode & 0o077:
        complain(f"api.key_file: others on this machine can read {key_file}; 'chmod 600 {key_file}' mends that")
    return key
