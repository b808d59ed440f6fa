"""The network volume: found or made where the configuration says so, grown, told of, deleted.

Note [A volume costs until it is deleted]. So its name is in the state file before it is asked for, with the account; one
whose state was lost is found by its name; and it is forgotten only when there is none of that name."""

import re

from .api import ApiError
from .basics import CONSOLE, PODS, USAGE, Failure, clock, complain, setting, tell
from .state import PREFIX, account_of, is_account

ALL = "network-volumes"


class Volume:
    def __init__(self, session):
        self.api, self.config, self.state = session.api, session.config, session.state

    @property
    def stored(self):
        """What the state knows: name, account, and the id once that was told; empty where vsr-pods made none."""
        return self.state.contents.volume

    def known(self):
        return self.config["volume", "id"] or self.stored.get("id")

    def there(self):
        """The network volume if there is one already, else None."""
        return self.look() if self.known() else self.find()

    def look(self, patience=None):
        """The network volume, which is made where the configuration says so; pods go where it is."""
        identity = self.known() or self.make()
        try:
            volume = {**self.api.request("GET", f"/{ALL}/{identity}", patience=patience), "id": identity}
        except ApiError as error:
            if error.code != 404:
                raise
            raise Failure(USAGE, self.not_there(identity)) from None
        wanted = self.config["volume", "data_center"]
        if wanted and volume.get("dataCenter") != wanted:
            raise Failure(USAGE, f"volume.data_center: volume {identity} is in {volume.get('dataCenter')}, not in "
                                 f"{wanted}; pods have to be where the volume is")
        return volume

    def not_there(self, identity):
        if self.config["volume", "id"]:
            return f"volume.id: the account has no network volume {identity}; {CONSOLE} lists them under Storage"
        if self.is_strange():
            return (f"volume {identity} was made with another API key, or at another address, and is not in this account; use "
                    "that key")
        return (f"volume {identity}, which vsr-pods made, is not there any more; 'vsr-pods down --volume' forgets it, and the "
                "next start makes another one")

    def make(self):
        """Its id; of one that was made by a start whose answer or whose state was lost, that one's."""
        config, stored = self.config, self.stored
        found = self.find()
        if not stored:
            stored["name"] = found["name"] if found else f"{PREFIX}{int(clock.now())}-{config['pods', 'name']}"
            stored["account"] = account_of(self.api.url, self.api.key)
            self.state.save()
        try:
            made = found or self.api.create(ALL, {
                "name": stored["name"], "size": config["volume", "create_gb"],
                "dataCenter": config["volume", "data_center"], "type": config["volume", "type"]})
        except ApiError as error:
            if not error.is_unknown():  # refused: there is nothing
                self.forget()
            raise
        stored["id"] = made["id"]
        self.state.save()
        tell(f"{'found' if found else 'made'} network volume {words(made)}; it costs money until 'vsr-pods down --volume'")
        return made["id"]

    def find(self):
        """One that may have been made: of the stored name, else of a state that was lost. None where there is none."""
        found = self.one_of_name("set volume.id to the one that is meant, and delete the others at")
        return found[0] if found else None

    def one_of_name(self, advice):
        """One at most, where the state was lost: others may be of other films of the same name."""
        found = self.of_name()
        if len(found) > 1 and not self.stored:
            raise Failure(USAGE, f"there are several network volumes of this pods.name: {'; '.join(map(words, found))}; {advice} "
                                 f"{CONSOLE}")
        return found

    def of_name(self):
        """Of the stored name, else, where the state was lost, of this pods.name in this data centre."""
        name, wanted = self.stored.get("name"), self.config["volume", "data_center"]
        if name:
            return [each for each in self.api.list(ALL) if each.get("name") == name]
        mine = re.compile(rf"{PREFIX}\d+-{re.escape(self.config['pods', 'name'])}")
        return [each for each in self.api.list(ALL)
                if mine.fullmatch(str(each.get("name"))) and wanted in (None, "", each.get("dataCenter"))]

    def doomed(self):
        """What delete() is for, to be told of before. Raises where there can be nothing."""
        if not self.stored and self.config["volume", "id"]:
            raise Failure(USAGE, "down --volume: volume.id is a volume of your own; delete it at the console, under Storage")
        found = self.one_of_name("delete what is not wanted at")
        if not self.stored and not found:
            raise Failure(USAGE, f"down --volume: this state knows no volume, and the account has none named {PREFIX}...-"
                                 f"{self.config['pods', 'name']} where volume.data_center says; {CONSOLE} lists all under Storage")
        return found

    def grow(self):
        """To [volume] grow_to_gb; False where it may not grow or has done so already."""
        patience = setting("LOOK", 20)  # whoever wants it to grow looks at other things, too
        volume, most = self.look(patience), self.config["volume", "grow_to_gb"]
        if volume["size"] >= most:
            return False
        self.api.request("PATCH", f"/{ALL}/{volume['id']}", {"size": most}, patience=patience)
        tell(f"volume {volume['id']} was full: grown from {volume['size']} to {most} GB")
        return True

    def is_strange(self):
        """Whether it was made with another key or at another address, so that 'not found' does not mean gone."""
        known = self.stored.get("account") or self.state.contents.account
        return bool(known) and not is_account(known, self.api.url, self.api.key)

    def delete(self, doomed=None):
        """All of its name: a request whose answer was lost may have made a second one. `doomed`: those that the user has
        agreed to."""
        of_name = [each["id"] for each in (self.doomed() if doomed is None else doomed)]
        known = self.stored.get("id")
        for identity in dict.fromkeys([*([known] if known else []), *of_name]):
            if self.api.delete(ALL, identity):
                tell(f"volume {identity} is deleted, with all that was on it")
            elif self.is_strange():
                raise Failure(PODS, f"volume {identity} is not in this account, whose API key or address is another than it "
                                    f"was made with; use that, or look at {CONSOLE}: it costs money until it is deleted")
            else:
                tell(f"volume {identity} was gone already")
        if not known and not of_name:
            self.refuse_unseen()
            tell(f"there is no volume {self.stored.get('name')}")
        self.forget()

    def refuse_unseen(self):
        if self.is_strange():
            raise Failure(PODS, f"volume {self.stored.get('name')}: whether it was made cannot be seen with this API key, which "
                                f"is another than it was asked for with; use that, or look at {CONSOLE}")

    def forget(self):
        """And the run that was on it."""
        self.state.contents.volume = {}
        self.state.forget_run()
        self.state.save()


def words(volume):
    return f"{volume.get('name')} ({volume.get('id')}, {volume.get('size')} GB in {volume.get('dataCenter')})"


def tell_of_left_over(api):
    """Those that vsr-pods has made, for whichever state."""
    try:
        for each in api.list(ALL):
            if made := re.match(PREFIX + r"\d+-(.+)", str(each.get("name"))):
                tell(f"network volume {words(each)} costs money until it is deleted: by 'vsr-pods down --volume' with pods.name = "
                     f"{made[1]}, or at {CONSOLE} under Storage")
    except Failure as error:
        complain(error)
