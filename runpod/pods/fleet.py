"""The pods, or the cluster, that are rented: made once, found again, looked at, ended.

Note [Nothing is forgotten]. A rental's name is in the state file before it is asked for; what the service made and
never told of (a lost answer, a killed client) is found by that name. A name stays alive until the service has said that
its pod is gone."""

import time

from . import limits
from .api import ApiError, is_entry
from .basics import CONSOLE, LIMIT, PODS, USAGE, Failure, clock, complain, pauses, setting, signals, span, tell
from .hardware import CPU, FIRST_ENCODER, GPU, sorts
from .members import OVER, member_of, rank_of
from .state import Rental
from .volume import Volume

MOST_FAILURES = 3  # in one place


class Fleet:
    def __init__(self, session):
        self.session, self.api, self.config, self.state = session, session.api, session.config, session.state
        self.sorts = sorts(self.config)
        self.network_volume = Volume(session)
        self.members = {}  # by rental's name, as of the last look
        self.taken = {}  # by rental's name: when the service told its id
        self.replaced = {}  # by place: so many that had worked, since the film last advanced
        self.strange = self.state.differs(self.api.url, self.api.key)  # how, or nothing
        self.lost = {}  # by rental's name: why
        self.refused = {GPU: -1e9, CPU: -1e9}  # when there was no capacity the last time, and why
        self.reasons = {}
        self.said = set()  # of what the service says and cannot be used, once
        self.twins = {}  # by id: dollars that count already, since a list may go on to have it

    def strange_words(self, text):
        if text not in self.said:
            self.said.add(text)
            complain(text)

    # --- making

    def fill(self, hardware, want):
        """Rents until there are `want` of it, as far as there is capacity; whether there are. Places in which nothing
        ever got to work are left empty, as long as there are others."""
        sort, mine = self.sorts[hardware], self.state.of(hardware)
        if hardware == GPU and not self.state.alive() and all(self.is_given_up(place) for place in sort.places):
            self.state.contents.failures.clear()
        taken = {rental.place for rental in mine}
        free = [place for place in sort.places if place not in taken and not self.is_given_up(place)]
        for place in free[:max(0, want - len(mine))]:
            if not self.rent(place):
                self.refused[hardware] = time.monotonic()
                return False
        return True

    def rate(self, sort, price):
        """Dollars an hour of all, if each of this sort costs `price`; encoders that are still to come cost their most."""
        mine, encoders = price * len(sort.places), self.sorts[CPU]
        if sort is encoders:
            return mine + sum(rental.price for rental in self.state.of(GPU))
        return mine + (len(encoders.places) * encoders.most() if encoders.places else 0.0)

    def rent(self, place):
        """One more, of the first type that can be had; False when none can now."""
        sort = self.sorts[CPU if place >= FIRST_ENCODER else GPU]
        volume = self.network_volume.look()
        offers, reasons = sort.offers(self.api, volume["dataCenter"])
        for offer in offers:
            signals.check()  # none is asked for after a Ctrl-C
            price = sort.price(offer)
            deadline = limits.deadline(self.session, self.rate(sort, price))
            rental = Rental(self.state.next_name(), sort.kind, place, offer.name, price, clock.now(), hardware=sort.hardware)
            if not self.state.alive() or not self.state.contents.account:
                self.state.note_account(self.api.url, self.api.key)
            self.state.contents.rentals.append(rental)
            self.state.save()  # Note [Nothing is forgotten]
            try:
                made = self.api.create(sort.kind, self.body(rental, volume, deadline))
            except ApiError as error:
                if error.is_unknown():
                    raise  # it may be there: settle() finds it, or look()
                self.state.contents.rentals.remove(rental)  # refused: there is nothing
                self.state.save()
                if error.code not in sort.refusals:
                    raise
                reasons[offer.name] = f"was refused ({error.detail})"
                continue
            self.take(rental, made)
            tell(f"rents {rental}, ${price:.2f} an hour, in {volume['dataCenter']}")
            return True
        self.reasons = reasons
        return False

    def reasons_text(self):
        return "; ".join(f"{name} {why}" for name, why in self.reasons.items())

    def no_capacity(self):
        return Failure(PODS, f"no pod can be had: {self.reasons_text()}; try later, or name other GPUs, or a volume "
                             "elsewhere")

    def take(self, rental, made):
        rental.id, rental.phase = str(made["id"]), "made"
        self.taken[rental.name] = time.monotonic()
        self.state.save()

    def body(self, rental, volume, deadline):
        config = self.config
        environment = {"SSH_PUBLIC_KEY": self.session.ssh.public_key(), "VSRDIST_DEADLINE": str(deadline),
                       "VSRDIST_FOLDER": config.folder(), "VSRDIST_API_URL": self.api.url}
        body = {"name": rental.name, "image": config["pods", "image"], "dataCenterIds": [volume["dataCenter"]],
                "ports": ["22/tcp"], "startSsh": True,
                "mounts": {"network": [{"volumeId": volume["id"], "path": config["volume", "path"]}]},
                **self.sorts[rental.hardware].body(rental.gpu)}
        if rental.kind == "clusters":
            return {**body, "env": environment}
        if config["pods", "registry"]:
            body["registry"] = config["pods", "registry"]
        return {**body, "cloud": config["pods", "cloud"], "env": {**environment, "VSRDIST_POD": rental.name}}

    # --- finding and looking

    def refuse_strange(self):
        """In another account nothing is found, which must not count as gone."""
        if self.strange:
            names = ", ".join(map(str, self.state.alive()))
            raise Failure(USAGE, f"{names}: rented with {self.strange}; use that, or end them by 'vsr-pods down' with any key "
                                 "of that account")

    def adopt(self):
        """After a start: those whose answer was never read are found by name, or were never made."""
        for rental in self.state.alive():
            if not rental.id:
                self.settle(rental)

    def settle(self, rental, patience=None):
        """Finds out whether there is something of this name. What was asked for a moment ago may still come."""
        longest = setting("SETTLE", 60)
        end = time.monotonic() + min(longest, max(longest / 6, longest - (clock.now() - rental.asked)))
        while True:
            found = [each for each in self.api.list(rental.kind, patience) if each.get("name") == rental.name]
            if found:
                self.take(rental, found[0])
                tell(f"found {rental} again")
                return
            if time.monotonic() >= end:
                if self.strange:
                    raise ApiError("GET", f"/{rental.kind}", 404, f"{rental.name} is not in this account")
                self.forget(rental)
                return
            signals.wait(min(5, setting("SETTLE", 60) / 4))

    def look(self, act=True):
        """How all of them are now, by the service; fills members and lost. Raises ApiError when it cannot be told.
        Without `act` nothing is changed."""
        self.lost = {}
        kinds = {rental.kind for rental in self.state.alive()}
        listed = {kind: self.api.list(kind, patience=setting("LOOK", 20)) for kind in kinds}
        for rental in self.state.alive():
            mine = [each for each in listed[rental.kind] if each.get("name") == rental.name]
            if act:
                self.identify(rental, mine)
            if rental.id:
                exists, self.members[rental.name] = self.members_of(rental, mine)
                self.judge(rental, exists or self.is_young(rental), act)
        for kind in kinds if act else ():
            self.end_surplus(kind, listed[kind])
        self.session.ssh.write([m for members in self.members.values() for m in members if m.host])

    def end_surplus(self, kind, listed):
        """What could not be ended is seen again by the next look."""
        try:
            self.sweep(kind, (), listed)
        except ApiError as error:
            self.strange_words(f"{error}; is tried again")

    def identify(self, rental, listed):
        """Of what has its name: which it is, where no answer told."""
        if not rental.id and listed:
            self.take(rental, listed[0])
        elif not rental.id and not self.strange and clock.now() > rental.asked + self.api.patience + setting("SETTLE", 60):
            self.forget(rental)

    def forget(self, rental):
        """It never was."""
        rental.ended = rental.asked
        self.state.save()

    def members_of(self, rental, listed):
        """Whether there is such a thing, and the pods that it consists of by now."""
        found = [each for each in listed if each["id"] == rental.id]
        found = found or [each for each in self.get(f"/{rental.kind}/{rental.id}") if is_entry(each)]  # lists may lag behind
        if rental.kind == "pods":
            return bool(found), [member_of(pod, rental.name, self.strange_words) for pod in found]
        pods = [pod for answer in self.get(f"/clusters/{rental.id}/pods") for pod in answer.get("pods") or []
                if is_entry(pod)]
        members = [member_of(pod, f"{rental.name}-node{i if rank_of(pod) is None else rank_of(pod)}", self.strange_words)
                   for i, pod in enumerate(pods)]
        return bool(found), sorted(members, key=lambda member: (member.rank is None, member.rank or 0))

    def is_young(self, rental):
        """Made a moment ago, and perhaps not told everywhere in the service yet."""
        return rental.phase == "made" and time.monotonic() - self.taken.get(rental.name, -1e9) < setting("YOUNG", 120)

    def get(self, path):
        """What is there, as a list of one; empty where there is nothing."""
        try:
            return [self.api.request("GET", path, patience=setting("LOOK", 20))]
        except ApiError as error:
            if error.code != 404:
                raise
            return []

    def judge(self, rental, exists, act):
        """Whether the service has lost it; and what it costs, should that be more than the catalogue says."""
        members = self.members[rental.name]
        if not exists:
            self.lost[rental.name] = "is gone"
        for member in members:
            if member.status in OVER:
                self.lost[rental.name] = ("has a member that " if rental.kind == "clusters" else "") + f"is {member.status}"
        cost = sum(member.cost for member in members)
        if act and cost > rental.price * 1.001:
            sort = self.sorts[rental.hardware]
            complain(f"{rental} costs ${cost:.2f} an hour, not ${rental.price:.2f}")
            rental.price = cost
            self.state.save()
            if sort.most() and cost > sort.most() * 1.1:  # disks may be part of it
                self.too_dear(rental, f"costs ${cost:.2f} an hour, above {sort.key}; raise it, or name another type")

    def too_dear(self, rental, why):
        if rental.hardware == GPU:
            raise Failure(LIMIT, f"{rental} {why}")
        self.lost[rental.name] = why
        self.give_up(rental.place)

    def expected(self, rental):
        return self.config["pods", "count"] if rental.kind == "clusters" else 1

    def reachable(self, rental):
        """The members, once the service has told the addresses of all of them; else nothing."""
        members = self.members.get(rental.name, [])
        complete = len(members) == self.expected(rental) and all(member.host for member in members)
        if rental.kind == "clusters":
            complete = complete and all(member.ip and member.rank is not None for member in members)
        return members if complete else []

    def first(self, rental):
        """The pod that acts for it: itself, or the cluster's primary."""
        return self.reachable(rental)[0]

    def failures(self, place):
        return self.state.contents.failures.get(str(place), 0)

    def has_failed(self, hardware):
        """Whether one of this sort did not get as far as working."""
        return any(self.failures(place) for place in self.sorts[hardware].places)

    def is_given_up(self, place):
        return self.failures(place) >= MOST_FAILURES

    def give_up(self, place):
        with self.state.writing:  # another thread may be about to write
            self.state.contents.failures[str(place)] = MOST_FAILURES
        self.state.save()

    # --- ending

    def replace(self, rental, why):
        """Ends one that is lost; its place is filled later. One that never worked counts against its place, since the
        next one may fail alike."""
        try:
            self.end(rental, patience=60)
        except ApiError as error:
            if not error.may_pass():
                raise
            complain(f"{rental} {why}; it cannot be ended now, which is tried again: {error}")
            return
        if rental.phase == "over":
            return
        if self.is_given_up(rental.place):
            complain(f"{rental} {why}: goes on without it")
            return
        complain(f"{rental} {why}: is replaced")
        if rental.phase == "working":
            self.replaced[rental.place] = self.replaced.get(rental.place, 0) + 1
            if self.replaced[rental.place] >= MOST_FAILURES:
                self.too_often(rental, f"{MOST_FAILURES} pods in one place were lost without a frame more; the last one, "
                                       f"{rental}, {why}")
            return
        self.state.contents.failures[str(rental.place)] = self.failures(rental.place) + 1
        self.state.save()
        if self.is_given_up(rental.place) and not any(r.phase == "working" for r in self.state.of(rental.hardware)):
            self.too_often(rental, f"{MOST_FAILURES} pods in a row did not get as far as working; the last one, {rental}, "
                                   f"{why}")

    def too_often(self, rental, text):
        """An encoder that cannot be had ends nothing: whoever upscales encodes as well."""
        if rental.hardware == GPU:
            raise Failure(PODS, text)
        self.give_up(rental.place)
        complain(f"{text}: goes on without an encoder in its place")

    def end(self, rental, patience=None):
        """For good; it is alive until the service has said that it is gone."""
        if not rental.id:
            self.settle(rental, patience)
        if rental.id and not rental.ended:
            was_there = self.api.delete(rental.kind, rental.id, patience)
            if not was_there and self.strange:
                raise ApiError("DELETE", f"/{rental.kind}/{rental.id}", 404,
                               f"is not in this account; it was rented with {self.strange}")
            rental.ended = clock.now()
            tell(f"ended {rental}, ${rental.dollars(rental.ended):.2f}" if was_there else
                 f"{rental} was gone already; ${rental.dollars(rental.ended):.2f} at most")
        self.members.pop(rental.name, None)
        self.state.save()

    def of_others(self, names):
        return [rental for rental in self.state.alive() if rental.name not in names]

    def end_all(self, spared=()):
        """Ends everything but the spared names, whatever happens; what cannot be ended is said, with what to do."""
        end = time.monotonic() + setting("END", 900)
        if going := self.of_others(spared):
            tell(f"ends {', '.join(rental.name for rental in going)}; Ctrl-C waits for it, {span(setting('END', 900))} at most")
        for pause in pauses(5):
            errors = []
            for rental in sorted(self.of_others(spared), key=lambda rental: not rental.id):  # to look for one takes a while
                self.attempt(errors, self.end, rental, 10)
            for kind in {rental.kind for rental in self.state.contents.rentals}:
                self.attempt(errors, self.sweep, kind, spared)
            left = self.of_others(spared)
            lasting = all(isinstance(error, ApiError) and not error.may_pass() for error in errors)
            if not errors or lasting or time.monotonic() > end:
                break
            complain(f"{len(left)} could not be ended yet, which is tried again: {errors[-1]}" if left else
                     f"whether all are ended cannot be seen yet, which is tried again: {errors[-1]}")
            signals.wait(pause)
        if left:
            names = ", ".join(map(str, left))
            raise Failure(PODS, f"STILL RENTED: {names}; end it at {CONSOLE} or by 'vsr-pods down' ({errors[-1]})")
        if errors:
            raise Failure(PODS, f"all are ended, but whether more is there of their names could not be seen; look at "
                                f"{CONSOLE} ({errors[-1]})")

    @staticmethod
    def attempt(errors, function, *arguments):
        try:
            function(*arguments)
        except Exception as error:  # a strange answer, too, keeps no other pod alive
            errors.append(error if isinstance(error, Failure) else Failure(PODS, f"{type(error).__name__}: {error}"))

    def sweep(self, kind, spared, listed=None):
        """Ends what came late of names that are over, or beside its twin; and what the service has hidden for a moment,
        so that it counted as gone."""
        mine = {rental.name: rental for rental in self.state.contents.rentals if rental.kind == kind and rental.name not in spared}
        known = {rental.id for rental in self.state.alive()}  # those could not be ended just now
        for each in self.api.list(kind, patience=10) if listed is None else listed:
            rental = mine.get(str(each.get("name")))
            if not rental or each["id"] in known or each.get("status") == "TERMINATED":
                continue
            if not self.api.delete(kind, each["id"], patience=10):
                continue  # the list lags
            self.strange_words(f"{rental.name} is there {'still or again' if rental.ended else 'twice'}: {each['id']} is ended")
            if rental.id != each["id"]:
                cost = rental.price / 3600 * max(0.0, clock.now() - rental.asked)
                rental.twins += cost - self.twins.get(each["id"], 0.0)
                self.twins[each["id"]] = cost
            elif rental.ended:  # and was paid
                rental.ended = clock.now()
            self.state.save()
