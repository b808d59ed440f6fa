"""ssh to pods, by an OpenSSH configuration of this state's own: 'ssh -F FILE POD' is for the user, too."""

import os
import re
import shlex
import shutil

from .basics import INPUT, STORAGE, USAGE, Failure, last_line, run

ANSWER_S = 40  # for something that is quick


class Unreachable(Exception):
    """A pod does not answer; it may do so later."""


class Ssh:
    def __init__(self, config, state, ending=".ssh_config"):
        self.key = config.file("ssh", "key").absolute()
        self.file, self.known_hosts = (state.beside(end).absolute() for end in (ending, ".known_hosts"))

    def check(self):
        """Before anything is rented: what is needed here is here."""
        for program in ("ssh", "rsync"):
            if shutil.which(program) is None:
                raise Failure(USAGE, f"there is no {program} here; install it (packages openssh-client, rsync)")
        found = re.search(r"version v?(\d+)\.(\d+)", run(["rsync", "--version"])[1])
        if not found or (int(found[1]), int(found[2])) < (3, 1):
            raise Failure(USAGE, "the rsync here is not 3.1 or newer; macOS has another one: 'brew install rsync'")
        if self.key.suffix == ".pub":
            raise Failure(INPUT, f"ssh.key: {self.key} is the public half; name the private one, {self.key.with_suffix('')}")
        if not self.key.is_file():
            raise Failure(INPUT, f"ssh.key: there is no {self.key}; make one by 'ssh-keygen -t ed25519 -f {self.key}'")
        self.check_pair(self.public_key())

    def check_pair(self, public):
        """That no pod waits for a key that ssh cannot use: nobody is there to type a passphrase."""
        if shutil.which("ssh-keygen") is None:
            return
        status, derived, complaints = run(["ssh-keygen", "-y", "-P", "", "-f", str(self.key)], ANSWER_S)
        if status == 0 and derived.split()[:2] != public.split()[:2]:
            raise Failure(INPUT, f"ssh.key: {self.key}.pub is not the public half of {self.key}; make it by 'ssh-keygen -y -f "
                                 f"{self.key} > {self.key}.pub'")
        if status and "passphrase" in complaints and not agent_knows(public):
            raise Failure(INPUT, f"ssh.key: {self.key} has a passphrase, and ssh-agent does not know it; 'ssh-add "
                                 f"{self.key}', or name a key without one")
        if "too open" in complaints:
            raise Failure(INPUT, f"ssh.key: others can read {self.key}, which ssh takes for no key; 'chmod 600 {self.key}'")
        if status and "passphrase" not in complaints:
            raise Failure(INPUT, f"ssh.key: {self.key} is no private key: {last_line(complaints)}")

    def public_key(self):
        path = self.key.with_name(self.key.name + ".pub")
        try:
            text = path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise Failure(INPUT, f"ssh.key: there is no {path}; make it by 'ssh-keygen -y -f {self.key} > "
                                 f"{path}'") from None
        if not re.fullmatch(r"[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\n]*)?", text):
            raise Failure(INPUT, f"ssh.key: {path} is no public key")
        return text

    def write(self, members):
        """The configuration for these members; the addresses are the service's words, and checked."""
        lines = ["# written by vsr-pods"]
        for member in members:
            lines += [f"Host {member.alias}", f"  HostName {member.host}", f"  Port {member.port}",
                      f"  User {member.user}", f"  HostKeyAlias {member.id}"]
        lines += ["Host *", f"  IdentityFile {quoted(self.key)}", "  IdentitiesOnly yes", "  BatchMode yes",
                  "  ConnectTimeout 10", "  ServerAliveInterval 10", "  ServerAliveCountMax 3", "  LogLevel ERROR",
                  # A pod is new, so nobody knows its key yet; one that changes later is refused.
                  "  StrictHostKeyChecking accept-new", f"  UserKnownHostsFile {quoted(self.known_hosts)}",
                  "  ForwardAgent no", "Include ~/.ssh/config", ""]
        text = "\n".join(lines)
        try:
            if self.file.exists() and self.file.read_bytes() == text.encode():
                return
            part = self.file.with_name(f"{self.file.name}.{os.getpid()}.part")
            part.write_bytes(text.encode())
            os.replace(part, self.file)
        except OSError as error:
            raise Failure(STORAGE, f"{self.file}: {error.strerror}") from None

    def command(self):
        return ["ssh", "-F", str(self.file)]

    def run(self, member, words, timeout=ANSWER_S, stdin=None):
        """(status, output, complaints) of a command there; every word is quoted. 255 is ssh's own: no connection."""
        remote = " ".join(shlex.quote(str(word)) for word in words)
        return run([*self.command(), "-T", member.alias, "--", remote], timeout, stdin)

    def ask(self, member, words, timeout=ANSWER_S, stdin=None):
        """The same; no connection is Unreachable."""
        status, output, complaints = self.run(member, words, timeout, stdin)
        if status == 255:
            raise Unreachable(f"{member.alias} does not answer by ssh: {last_line(complaints)}")
        return status, output, complaints


def agent_knows(public):
    """Whether the user's ssh-agent, or a macOS keychain, has the private half."""
    told = dict(line.split(" ", 1) for line in run(["ssh", "-G", "pod"], ANSWER_S)[1].splitlines() if " " in line)
    agent = os.path.expanduser(told.get("identityagent", ""))
    if told.get("usekeychain") == "yes" or shutil.which("ssh-add") is None:
        return True
    elsewhere = ["env", f"SSH_AUTH_SOCK={agent}"] if agent.startswith("/") else []
    known = run([*elsewhere, "ssh-add", "-L"], ANSWER_S)[1]
    return any(line.split()[:2] == public.split()[:2] for line in known.splitlines())


def quoted(path):
    """For ssh's configuration, which expands %."""
    text = str(path)
    if '"' in text or "\n" in text:
        raise Failure(USAGE, f"{text}: ssh takes no file name with a quote in it; set state.folder and ssh.key to others")
    return '"' + text.replace("%", "%%") + '"'
