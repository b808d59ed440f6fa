"""What the user says, and what is said to him."""

import argparse
import contextlib
import difflib
import os
import re
import select
import socket
import subprocess
import sys
import traceback
from pathlib import Path

from . import auto, catalogue, cost, reap, volume, watch
from .api import Api
from .basics import CONSOLE, PODS, STORAGE, TICK_S, USAGE, Failure, Interrupted, clock, complain, finish, signals, talk, tell
from .config import Config, address, api_key
from .fleet import Fleet
from .files import Transfer
from .job_file import JobFile, job_values
from .jobs import Jobs
from .plan import CLUSTER, encoders_of, encoders_to_be_had, plan, prices_of, refuse_films_of_others, tell_cost
from .ssh import Ssh, Unreachable
from .state import State, others_of, states_in

ABOUT = """From an API key to a finished film on rented pods.

  vsr-pods auto       all of it, unattended: up, push, run, watch, pull, down; lost pods are replaced
  vsr-pods cost       hours and money for the film on each GPU type

Or step by step, where the pods stay until 'down' or until their time is over:

  vsr-pods up         create the pods, or the cluster, and wait until they are ready
  vsr-pods push       film, job file and model to the network volume
  vsr-pods run        check the pods and start the jobs
  vsr-pods status     how the run is; --tunnel shows its page
  vsr-pods pull       films, report and logs from the volume
  vsr-pods down       end all pods; --volume deletes the volume too
  vsr-pods reap       end pods that were left over, whoever made them

The API key is taken from the environment's RUNPOD_API_KEY or the file api.key_file; configs/pods.ini is an example of
a configuration. Ctrl-C once stops politely, twice ends the pods at once. Exit status: 0 done, 2 usage or configuration,
3 input, 6 storage, 7 pods or API, 8 money or time limit, 129, 130, 131, 143 interrupted. docs/runpod.md tells the rest."""


class Session:
    """What a command works with. Only commands that change something hold the state's lock."""

    def __init__(self, options, change=True, by_ssh=True, config=None):
        self.options, self.config = options, config or Config(options.config)
        self.state = State(self.config.file("state", "folder"), self.config["pods", "name"])
        self.api = open_api(options, self.config)
        # What only looks has a file of its own: another client may be using the first.
        self.ssh = Ssh(self.config, self.state, ".ssh_config" if change else ".status.ssh_config")
        if change and by_ssh:
            self.ssh.check()
        if change and not options.dry_run:
            self.state.hold()
            talk.log = self.state.beside(".log")


def open_api(options, config):
    key_file = config.file("api", "key_file") if config["api", "key_file"] else None
    key = api_key(key_file)
    talk.secret = key
    return Api(checked_address(options.api_url) if options.api_url else config["api", "url"], key,
               f"api.key_file {key_file}" if key_file else "RUNPOD_API_KEY")


def checked_address(text):
    try:
        return address(text)
    except ValueError as error:
        raise Failure(USAGE, f"--api-url {text}: has to be {error}") from None


def agree(options, question, beforehand=True):
    """Whether the user wants it; without a terminal only --yes is a yes, where that can be said `beforehand`."""
    if options.yes and beforehand:
        return True
    if not sys.stdin.isatty():
        raise Failure(USAGE, f"{question} There is nobody to ask; "
                             + ("give --yes" if beforehand else f"no state here knows it, so --yes is no answer; look at {CONSOLE}"))
    talk.ask(f"{question} [y/N] ")
    try:
        while not select.select([sys.stdin], [], [], TICK_S)[0]:
            signals.check()
    except Interrupted:
        talk.ask("\n")  # the next line is one of its own
        raise
    answer = sys.stdin.readline()
    return answer.strip().lower() in ("y", "yes")


def consent(session):
    """Plan and question; the job file if it is to be done. What is rented already was agreed to."""
    # Where a job runs, the film is on the volume, whatever has become of it here.
    job = JobFile(session.config, here=not any(rental.phase == "working" for rental in session.state.alive()))
    if session.state.alive():
        tell_going_on(session, "goes on")
        return job
    plan(session, job)
    if agree(session.options, "Go on?"):
        return job
    tell("nothing is rented")
    return None


def preview(session):
    """What a start would do."""
    if session.state.alive():
        tell_going_on(session, "would go on")
    else:
        plan(session, JobFile(session.config))


def tell_going_on(session, goes_on):
    tell(f"{goes_on} with {', '.join(map(str, session.state.alive()))}; ${session.state.dollars():.2f} of "
         f"${session.config['limits', 'max_usd']:g} are spent")


# --- the commands


def auto_command(options):
    session = Session(options)
    with others_told(session):
        if options.dry_run:
            preview(session)
        else:
            auto.auto(session, lambda: consent(session))


def up_command(options):
    session = Session(options)
    with others_told(session):
        up(session, options)


def up(session, options):
    if options.dry_run:
        preview(session)
    elif auto.up(session, lambda: consent(session)):
        for rental in session.state.alive():
            node = "-node0" if rental.kind == "clusters" else ""
            tell(f"{rental} is ready: ssh -F {session.ssh.file} {rental.name}{node}")
        alone = "" if session.config["pods", "kind"] == "pods" else CLUSTER
        tell(f"${session.state.dollars_an_hour():.2f} an hour until 'vsr-pods down'{alone}")


@contextlib.contextmanager
def others_told(session):
    """Other films' pods cost, too, and may be forgotten: said first and last."""
    tell_of_others(session.state)
    try:
        yield
    finally:
        tell_of_others(session.state)


def tell_of_others(state):
    for other in others_of(state):
        if alive := other.alive():
            complain(f"pods.name = {other.name} has rented, too: {', '.join(map(str, alive))}; unless another vsr-pods is at work "
                     "with it, 'vsr-pods down' with that name ends it")


def rented(session):
    """The fleet, freshly looked at, and those of it that can be reached."""
    fleet = Fleet(session)
    if not session.state.alive():
        raise Failure(PODS, f"nothing is rented by {session.state.path}; 'vsr-pods up' does that")
    fleet.refuse_strange()
    fleet.adopt()
    fleet.look()
    found = [rental for rental in session.state.alive() if fleet.reachable(rental)]
    if not found:
        raise Failure(PODS, "no pod can be reached now; 'vsr-pods status' tells how they are")
    return fleet, found


def transfer(session, function):
    fleet, found = rented(session)
    try:
        return function(Transfer(session, fleet.first(found[0])))
    except Unreachable as error:
        raise Failure(PODS, f"{error}; run the same command again, it goes on where it was") from None


def push_command(options):
    session = Session(options)
    job = JobFile(session.config)
    transfer(session, lambda pod: pod.push(job))
    tell("pushed")


def pull_command(options):
    session = Session(options)
    results = session.config.file("job", "results")
    if not session.state.alive() and session.state.contents.finished and any((results / "final").glob("*")):
        tell(f"nothing is rented, and what was made was fetched: it is in {results / 'final'}")
        return
    refuse_films_of_others(session.config, session.state)
    films = transfer(session, lambda pod: pod.pull(results))
    session.state.contents.finished = bool(films)
    session.state.save()
    for film in films:
        tell(f"{film}: {film.stat().st_size / 1e9:.2f} GB")
    tell(f"pulled into {results}" + ("" if films else "; there is no film yet"))
    auto.tell_of_rented(session)


def run_command(options):
    session = Session(options)
    fleet, found = rented(session)
    jobs = Jobs(session, fleet)
    failed = []
    for rental in session.state.alive():
        try:
            why = jobs.check_and_start(rental) if rental in found else fleet.lost.get(rental.name, "cannot be reached now")
        except Unreachable as error:
            why = str(error)
        if why:
            complain(why if why.startswith(rental.name) else f"{rental} {why}")
            failed.append(rental.name)
    if failed:
        raise Failure(PODS, f"no job was started on {', '.join(failed)}; run the same command again, or 'vsr-pods up', which rents "
                            "others for what is lost; one that stays as it is you may end at the console before")


def status_command(options):
    session = Session(options, change=False)
    fleet = Fleet(session)
    if not session.state.alive():
        tell_nothing_rented(session.state)
        auto.tell_of_volume(session)
        return
    fleet.refuse_strange()
    fleet.look(act=False)
    jobs = Jobs(session, fleet)
    try:
        states = jobs.of_all(jobs.state, session.state.alive())
    except Failure as error:  # of ssh; what the service tells is told all the same
        complain(error)
        states = dict.fromkeys(rental.name for rental in session.state.alive())
    for rental in session.state.alive():
        members = fleet.members.get(rental.name) or []
        if rental.name in fleet.lost and not members:
            tell(f"{rental} is gone, ${rental.dollars(clock.now()):.2f} at most; 'vsr-pods down' notes that, 'auto' and 'up' "
                 "rent another")
            continue
        status = ", ".join(member.status for member in members) or "not told of yet"
        state = states[rental.name]
        job = ("no answer by ssh" if state is None else "works" if state.get("running") else "has made the film"
               if state.get("done") else f"does not work; {state.get('said') or 'not started'}")
        hint = "; 'auto' replaces it, 'down' ends it" if rental.name in fleet.lost else ""
        tell(f"{rental}: {status}, ${rental.price:.2f} an hour, ${rental.dollars(clock.now()):.2f} so far; {job}{hint}")
    run = watch.newest({name: state or {} for name, state in states.items()})
    tell(f"the run: {watch.progress_text(run) if run else 'nobody tells of it now'}; "
         f"${session.state.dollars():.2f} of ${session.config['limits', 'max_usd']:g}")
    auto.tell_of_volume(session)
    if options.tunnel:
        working = [rental for rental in session.state.alive() if (states[rental.name] or {}).get("running")]
        if not working:
            raise Failure(PODS, "no job runs, so there is no page")
        tunnel(session, fleet.first(working[0]))


def tunnel(session, member):
    """The page of a pod's job on this machine, until Ctrl-C."""
    listen = job_values(session.config).get("status.listen", "auto")
    port = re.search(r":(\d+)$", listen)
    there = int(port[1]) if port else 8080
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", there))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        here = probe.getsockname()[1]
    child = subprocess.Popen([*session.ssh.command(), "-N", "-o", "ExitOnForwardFailure=yes", "-L",
                              f"127.0.0.1:{here}:127.0.0.1:{there}", member.alias], stdin=subprocess.DEVNULL,
                             start_new_session=True)
    tell(f"http://127.0.0.1:{here}/ is the page of {member.alias}, until Ctrl-C")
    try:
        while child.poll() is None:
            signals.wait(0.2)
        raise Failure(PODS, f"the tunnel to {member.alias} has ended")
    except Interrupted:
        tell("the tunnel is closed; the run goes on")
    finally:
        finish(child)


def for_ending(options):
    """The configuration, or what can be had of a faulty one: what is rented costs money, whatever is wrong with it."""
    try:
        return Config(options.config)
    except Failure as error:
        complain(f"{error}; goes on without it")
    config = Config.salvaged(options.config)
    folder = config.file("state", "folder")
    if not config["pods", "name"]:
        found = states_in(folder)
        if len(found) != 1:
            raise Failure(USAGE, f"{folder}: holds {'the states of ' + ', '.join(found) if found else 'no state'}; set "
                                 f"pods.name in {options.config}, or end pods by 'vsr-pods reap --older 0'")
        config.values["pods", "name"] = found[0]
    rented_at = State(folder, config["pods", "name"]).contents.account.get("url")
    try:
        config.values["api", "url"] = address(rented_at)
    except (ValueError, TypeError):
        pass  # it knows none
    return config


def down_command(options):
    session = Session(options, by_ssh=False, config=for_ending(options))  # to end a pod takes the API alone
    with others_told(session):
        down(session, options)


def down(session, options):
    if options.dry_run:
        tell_down(session, options)
        return
    signals.deaf = True
    fleet = Fleet(session)
    if fleet.strange:
        complain(f"rented with {fleet.strange}: what this account does not have does not count as ended")
    try:
        fleet.end_all()
    except Failure:
        auto.tell_of_volume(session)
        raise
    tell_nothing_rented(session.state)
    if not options.volume:
        auto.tell_of_volume(session)
        return
    signals.deaf = False
    doomed = fleet.network_volume.doomed()
    which = "; ".join(map(volume.words, doomed)) or "the volume"
    if agree(options, f"Delete {which} with all that is on it?", bool(fleet.network_volume.stored)):
        fleet.network_volume.delete(doomed)


def tell_nothing_rented(state):
    if state.path.exists():
        tell(f"nothing is rented by {state.path}; ${state.dollars():.2f} were spent")
        return
    others = states_in(state.folder)
    there = f"; there are the states of {', '.join(others)} (pods.name)" if others else ""
    tell(f"{state.path}: is not there, so nothing is rented by it{there}; what is rented without it 'vsr-pods reap --older 0 "
         "--dry-run' lists")


def tell_down(session, options):
    """What it would do."""
    for rental in session.state.alive():
        tell(f"would end {rental}")
    if not session.state.alive():
        tell("nothing would be ended")
    mine = volume.Volume(session)
    would = "would be deleted, with all that is on it" if options.volume else (
        "stays, and costs money until 'vsr-pods down --volume'")
    if options.volume or not session.config["volume", "id"]:
        for each in mine.doomed() if options.volume else mine.of_name():
            tell(f"the volume {volume.words(each)} {would}")


def reap_command(options):
    try:
        config = Config(options.config)
    except Failure as error:  # what is left over costs money, whatever is wrong with that file
        if Path(options.config).exists():
            complain(f"{error}; goes on without it")
        config = Config.salvaged(options.config)
    reap.reap(open_api(options, config), options.older, options.dry_run, lambda question: agree(options, question))


def cost_command(options):
    config = Config(options.config)
    job = JobFile(config)
    try:
        api = open_api(options, config)
        prices = prices_of(catalogue.gpus(api, config), config)
        encoders = encoders_of(config, encoders_to_be_had(api, config, "")[0])
    except Failure as error:
        complain(f"{error}; the prices are those of runpod/gpus.json")
        prices, encoders = {}, encoders_of(config, [])
    measured = State(config.file("state", "folder"), config["pods", "name"]).contents.measured
    tell_cost(config, job, cost.known()["gpus"], prices, encoders, measured=measured)


# --- words


def hours(text):
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text):
        raise argparse.ArgumentTypeError(f"{text} is no number of hours, such as 0, 2.5 or 24")
    return float(text)


EXAMPLES = """
  vsr-pods cost               hours and money for the film, on each GPU type
  vsr-pods auto --dry-run     the plan; nothing is rented
  vsr-pods auto               all of it
  vsr-pods down               ends all pods
  vsr-pods --help             all commands"""


OPTIONS = ("--config", "--api-url", "--dry-run", "--yes", "--help", "--tunnel", "--volume", "--older")


class Words(argparse.ArgumentParser):
    """With examples where there is no command, or none such."""

    def _print_message(self, message, file=None):
        talk.write(message, file or sys.stderr, end="")  # nobody may listen any more

    def error(self, message):
        wrong = re.search("COMMAND: invalid choice: '([^']*)'", message)
        if wrong:
            near = difflib.get_close_matches(wrong[1], COMMANDS, 1)
            message = f"there is no command {wrong[1]}" + (f"; did you mean {near[0]}?" if near else "")
        option = re.search("unrecognized arguments: (--[^ =]*)", message)
        near = option and difflib.get_close_matches(option[1], OPTIONS, 1)
        if near:
            message = f"there is no option {option[1]}; did you mean {near[0]}?"
            if near[0] == option[1]:
                message = f"{option[1]} is of another command, and stands behind it: status --tunnel, down --volume, reap --older"
        elif message.startswith("unrecognized arguments: "):
            message += "; pods.ini and the job file name the film"
        self.print_usage(sys.stderr)
        examples = f"such as{EXAMPLES}\n" if "COMMAND" in message or wrong else ""
        self.exit(USAGE, f"{self.prog}: error: {message}\n{examples}")


COMMANDS = {
    "auto": (auto_command, "up, push, run, watch, pull, down"), "cost": (cost_command, "hours and money"),
    "up": (up_command, "create the pods"), "push": (push_command, "film, job and model to the volume"),
    "run": (run_command, "start the jobs"), "status": (status_command, "how the run is"),
    "pull": (pull_command, "films, report, logs"), "down": (down_command, "end the pods"),
    "reap": (reap_command, "end pods left over"),
}


def parse(words):
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", metavar="FILE", help="default: pods.ini in the current folder")
    common.add_argument("--api-url", metavar="URL", help="in place of api.url")
    common.add_argument("--dry-run", action="store_true",
                        help="of up, auto, down, reap: tells what it would do, and what it costs")
    common.add_argument("--yes", action="store_true", help="asks nothing")
    parser = Words(prog="vsr-pods", description=ABOUT, parents=[common], allow_abbrev=False,
                                     usage="%(prog)s [OPTION ...] COMMAND",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(prog="vsr-pods", metavar="COMMAND", dest="command", required=True, title="commands")
    for name, (function, about) in COMMANDS.items():
        command = commands.add_parser(name, help=about, parents=[common], allow_abbrev=False)
        command.set_defaults(function=function)
        if name == "status":
            command.add_argument("--tunnel", action="store_true", default=False,
                                 help="an ssh tunnel to the status page, until Ctrl-C")
        if name == "down":
            command.add_argument("--volume", action="store_true", default=False,
                                 help="deletes the network volume too, if vsr-pods made it")
        if name == "reap":
            command.add_argument("--older", type=hours, default=24, metavar="HOURS", help="default: 24")
    options = parser.parse_args(words)
    for name, default in (("config", "pods.ini"), ("api_url", None), ("dry_run", False), ("yes", False)):
        if not hasattr(options, name):
            setattr(options, name, default)
    if options.dry_run and options.command in ("push", "run", "pull", "status"):
        parser.error(f"--dry-run is not for {options.command}")
    return options


def open_streams():
    """Where one was closed (>&-), its number would be the next file's or pod's."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))


def main(words):
    open_streams()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # names of files may be no text
    options = parse(words)
    signals.listen()
    try:
        options.function(options)
        return 0
    except Failure as error:
        if isinstance(error.__context__, (Failure, Interrupted)) and not error.__suppress_context__:
            complain(error.__context__)  # why the pods were to be ended, before that they could not
        complain(error)
        return error.status
    except Unreachable as error:
        complain(error)
        return PODS
    except Interrupted as error:
        complain(f"{error}; the same command goes on with what is made")
        return error.status
    except OSError as error:
        complain(f"{error.filename or options.command}: {error.strerror or error}")
        return STORAGE
    except Exception as error:  # a fault of ours, or words of the service that nobody thought of
        at = traceback.extract_tb(error.__traceback__)[-1]
        complain(f"{options.command}: {type(error).__name__}: {error} (at {Path(at.filename).name}:{at.lineno}); 'vsr-pods status' "
                 "tells what is rented")
        return PODS
