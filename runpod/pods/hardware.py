"""The two sorts of pods: those with GPUs, which do everything, and encoders, which have none and only encode (`vsr-dist
--role=encode`). What sets them apart in renting stands here; in all else an encoder is a pod like the others."""

from . import catalogue

GPU, CPU = "gpu", "cpu"
FIRST_ENCODER = 1000  # of their places; those of pods with a GPU come before, however many
GB_A_VCPU = 10  # of container disk, which pods without a GPU were reported to have at most


def sorts(config):
    return {GPU: Gpus(config), CPU: Encoders(config)}


class Gpus:
    hardware, plural, key = GPU, "", "pods.max_price"
    refusals = (400,)  # of what may be had of another type, or later

    def __init__(self, config):
        self.config = config
        self.places = range(config.places())
        self.kind = "clusters" if config["pods", "kind"] == "cluster" else "pods"

    def offers(self, api, data_center):
        return catalogue.offers(catalogue.gpus(api, self.config), self.config, data_center)

    def price(self, offer):
        """Dollars an hour of what is rented at once."""
        return offer.price * self.config.gpus_of_one()

    def most(self):
        return self.config["pods", "max_price"] * self.config.gpus_of_one()

    def body(self, name):
        """Of the request, what asks for this hardware; `name` is the service's of it."""
        config, count = self.config, self.config["pods", "gpus_per_pod"]
        if self.kind == "clusters":
            return {"disk": config["pods", "disk"], "type": "TRAINING",
                    "compute": {"gpuTypeId": name, "gpuCountPerPod": count, "podCount": config["pods", "count"]}}
        return {"disk": config["pods", "disk"], "gpu": {"id": name, "count": count, "minCudaVersion": config["pods", "min_cuda"]}}


class Encoders:
    hardware, plural, key = CPU, " encoders", "encoders.max_price"
    refusals = (400, 404, 422)  # nothing that is wrong with encoders ends those who do without
    kind = "pods"
    def __init__(self, config):
        self.config = config
        self.places = range(FIRST_ENCODER, FIRST_ENCODER + config["encoders", "count"])

    def offers(self, api, data_center):
        return catalogue.encoder_offers(api, self.config, data_center)

    def price(self, offer):
        return offer.price

    def most(self):
        return self.config["encoders", "max_price"]

    def body(self, name):
        vcpus = self.config["encoders", "vcpus"]
        return {"disk": min(self.config["pods", "disk"], GB_A_VCPU * vcpus), "cpu": {"id": name, "vcpuCount": vcpus}}
