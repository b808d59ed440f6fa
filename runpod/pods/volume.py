"""The network volume: made where the configuration says so, grown, deleted."""

import time

from .api import ApiError
from .basics import CONSOLE, USAGE, Failure, tell


class Volume:
    def __init__(self, session):
        self.api, self.config, self.state = session.api, session.config, session.state

    def look(self):
        """The network volume, which is made where the configuration says so; pods go where it is."""
        config, stored = self.config, self.state.contents.volume
        identity = config["volume", "id"] or stored.get("id")
        if not identity:
            if not stored:
                stored["name"] = f"vsrdist-{int(time.time())}-{config['pods', 'name']}"
                self.state.save()
            found = next((v for v in self.api.list("network-volumes") if v.get("name") == stored["name"]), None)
            found = found or self.api.create("network-volumes", {
                "name": stored["name"], "size": config["volume", "create_gb"],
                "dataCenter": config["volume", "data_center"], "type": config["volume", "type"]})
            identity = stored["id"] = found["id"]
            self.state.save()
            tell(f"made network volume {stored['name']} ({identity}, {found['size']} GB in {found['dataCenter']}); it "
                 "costs money until 'vsr-pods down --volume'")
        try:
            volume = self.api.request("GET", f"/network-volumes/{identity}")
        except ApiError as error:
            if error.code != 404:
                raise
            raise Failure(USAGE, f"volume.id: the account has no network volume {identity}; "
                                 f"{CONSOLE} lists them under Storage") from None
        wanted = config["volume", "data_center"]
        if wanted and volume.get("dataCenter") != wanted:
            raise Failure(USAGE, f"volume.data_center: volume {identity} is in {volume.get('dataCenter')}, not in "
                                 f"{wanted}; pods have to be where the volume is")
        return volume

    def grow(self):
        """To [volume] grow_to_gb; False where it may not grow or has done so already."""
        volume, most = self.look(), self.config["volume", "grow_to_gb"]
        if volume["size"] >= most:
            return False
        self.api.request("PATCH", f"/network-volumes/{volume['id']}", {"size": most})
        tell(f"volume {volume['id']} was full: grown from {volume['size']} to {most} GB")
        return True

    def delete(self):
        stored = self.state.contents.volume
        if stored and not stored.get("id"):  # asked for, and no answer was read
            stored |= {"id": made["id"] for made in self.api.list("network-volumes") if made.get("name") == stored["name"]}
        if not stored.get("id"):
            raise Failure(USAGE, "down --volume: the volume was not made by vsr-pods; delete it at the console, under "
                                 "Storage")
        self.api.delete("network-volumes", stored["id"])
        tell(f"volume {stored['id']} is deleted, with all that was on it")
        self.state.contents.volume = {}
        self.state.save()
