"""The user's job file, as the pods get it: the same, but with names of files on the volume in place of his own.

docs/job-file.md tells its form. Bytes that are no UTF-8 go through as they are."""

import os
import re

from .basics import INPUT, USAGE, Failure

OURS = ("input.file", "model.checkpoint", "run.dir")  # keys that are written anew
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def unquoted(text):
    """A value as it stands behind the '='."""
    text = text.strip(" \t")
    if not text.startswith('"'):
        return re.split(r"(?:^|[ \t]+)#", text)[0].strip(" \t")
    inner = re.match(r'"((?:[^"\\]|\\.)*)"', text)
    return re.sub(r'\\(x[0-9A-Fa-f]{2}|.)', character, inner[1]) if inner else text


def character(match):
    code = match[1]
    return ESCAPES.get(code, code) if len(code) == 1 else os.fsdecode(bytes([int(code[1:], 16)]))


def quoted(text):
    """The other way round; any name of a file."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda c: f"\\x{ord(c[0]):02x}", plain) + '"'


def parse(text):
    """(lines without the keys that are ours, all values by section.key); what is wrong with them vsr-dist tells."""
    lines, values, section = [], {}, ""
    for line in re.split(r"\r?\n", text.removeprefix("\ufeff")):
        stripped = line.strip(" \t")
        key = None
        if stripped.startswith("["):
            section = stripped[1:].partition("]")[0].strip()
        elif "=" in stripped and stripped[0] not in "#;":
            name, _, value = stripped.partition("=")
            key = f"{section}.{name.strip()}"
            values[key] = unquoted(value)
        if key not in OURS:
            lines.append(line)
    return lines, values


def job_values(config):
    """By section.key; none where it cannot be read."""
    try:
        return parse(os.fsdecode(config.file("job", "file").read_bytes()))[1]
    except OSError:
        return {}


class JobFile:
    def __init__(self, config, here=True):
        """`here`: film and model have to be here, to be sent."""
        self.path = config.file("job", "file")
        self.where = config.folder()
        try:
            self.text = os.fsdecode(self.path.read_bytes())
        except OSError as error:
            raise Failure(INPUT, f"job.file {self.path}: {error.strerror}") from None
        self.lines, self.values = parse(self.text)
        if self.values.get("status.token_file"):
            raise Failure(USAGE, f"{self.path}: status.token_file is a file of yours; leave it out, the pods' page is "
                                 "seen by 'vsr-pods status --tunnel'")
        named = config["job", "input"]
        self.names_film = f"job.input of {config.path}" if named else f"input.file of {self.path}"
        self.film = config.file("job", "input") if named else self.named("input.file")
        model = self.values.get("model.checkpoint", "embedded")
        self.model = self.named("model.checkpoint") if model not in ("", "embedded") else None
        if here:
            self.check_files()

    def named(self, key):
        if not self.values.get(key):
            raise Failure(USAGE, f"{self.path}: names no {key}; give it there, or job.input in the configuration")
        return self.path.parent / self.values[key]

    def check_files(self):
        for what, path, key in (("the film", self.film, self.names_film),
                                ("the model", self.model, f"model.checkpoint of {self.path}")):
            if path is None:
                continue
            if path.is_dir():
                raise Failure(INPUT, f"{path}: {what} is a folder; name a file ({key})")
            if not path.is_file():
                hint = "; a sequence of pictures has to be made one file first" if "%" in path.name else ""
                raise Failure(INPUT, f"{path}: {what} is not there or is no file{hint} ({key})")
            if not os.access(path, os.R_OK):
                raise Failure(INPUT, f"{path}: {what} cannot be read")
            if path.stat().st_size == 0:
                raise Failure(INPUT, f"{path}: {what} is empty, 0 bytes")

    def files(self):
        """(file here, file on the volume) of what goes there beside the job file."""
        files = [(self.film, f"{self.where}/input/{self.film.name}")]
        if self.model:
            files.append((self.model, f"{self.where}/model/{self.model.name}"))
        return files

    def on_volume(self):
        """Its bytes, for the pods."""
        files = [target for _, target in self.files()]
        lines = [*self.lines, "", "# what follows was written by vsr-pods", "[input]", f"file = {quoted(files[0])}"]
        if self.model:
            lines += ["[model]", f"checkpoint = {quoted(files[1])}"]
        lines += ["[run]", f"dir = {quoted(self.where + '/run')}", ""]
        return os.fsencode("\n".join(lines))
