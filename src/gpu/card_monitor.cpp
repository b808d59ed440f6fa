#include "vsr/gpu/card_monitor.hpp"

#include "vsr/base/log.hpp"

#include <dlfcn.h>

#include <utility>

namespace vsr::gpu {

namespace {

// As in nvml.h, whose ABI is kept from driver to driver.
using Status = int;
using Card = void*;

constexpr Status kSuccess = 0;

struct Memory {
  unsigned long long total = 0;
  unsigned long long free = 0;
  unsigned long long used = 0;
};

struct Utilization {
  unsigned gpu = 0;     // percent
  unsigned memory = 0;  // of the time in which memory was read or written
};

}  // namespace

struct CardMonitor::Library {
  explicit Library(std::string id) : name(std::move(id)) {}

  ~Library() {
    if (begun) shut_down();
    if (handle != nullptr) dlclose(handle);
  }

  // Whether the card can be asked.
  bool open(const std::string& path) {
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return lacks(dlerror());
    const bool found = find("nvmlInit_v2", initialize) && find("nvmlShutdown", shut_down) &&
                       find("nvmlDeviceGetHandleByUUID", card_by_id) &&
                       find("nvmlDeviceGetMemoryInfo", memory_of) &&
                       find("nvmlDeviceGetUtilizationRates", utilization_of);
    if (!found) return false;
    find("nvmlErrorString", words_of);  // may be missing
    begun = works(initialize(), "nvmlInit_v2");
    return begun && works(card_by_id(name.c_str(), &card), "nvmlDeviceGetHandleByUUID");
  }

  bool works(Status status, const char* call) {
    return status == kSuccess || lacks(format("{}: {}", call, words(status)).c_str());
  }

  // Says it once.
  bool lacks(const char* why) {
    if (!std::exchange(told, true)) {
      log::debug("gpu", "load and memory of {} are not known: {}", name, why);
    }
    return false;
  }

  std::string words(Status status) const {
    const char* const text = words_of == nullptr ? nullptr : words_of(status);
    return text == nullptr ? format("error {}", status) : text;
  }

  template <typename Function>
  bool find(const char* symbol, Function& function) {
    function = reinterpret_cast<Function>(dlsym(handle, symbol));
    return function != nullptr || lacks(format("no {} in the library", symbol).c_str());
  }

  const std::string name;
  void* handle = nullptr;
  Status (*initialize)() = nullptr;
  Status (*shut_down)() = nullptr;
  Status (*card_by_id)(const char*, Card*) = nullptr;
  Status (*memory_of)(Card, Memory*) = nullptr;
  Status (*utilization_of)(Card, Utilization*) = nullptr;
  const char* (*words_of)(Status) = nullptr;
  bool begun = false;
  bool told = false;
  Card card = nullptr;
};

CardMonitor::CardMonitor(std::string card, const std::string& library)
    : library_(std::make_unique<Library>(std::move(card))) {
  if (!library_->open(library)) library_.reset();
}

CardMonitor::~CardMonitor() = default;

CardReading CardMonitor::read() {
  CardReading reading;
  if (!library_) return reading;
  Memory memory;
  if (library_->works(library_->memory_of(library_->card, &memory), "nvmlDeviceGetMemoryInfo")) {
    reading.memory_used = static_cast<double>(memory.used);
    reading.memory = static_cast<double>(memory.total);
  }
  Utilization load;
  if (library_->works(library_->utilization_of(library_->card, &load),
                      "nvmlDeviceGetUtilizationRates")) {
    reading.load = load.gpu / 100.0;
  }
  return reading;
}

}  // namespace vsr::gpu
