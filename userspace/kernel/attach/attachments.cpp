// SPDX-License-Identifier: Apache-2.0
#include "kernel/attach/attachments.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "kernel/attach/attached.h"
#include "kernel/attach/clsact.h"
#include "kernel/attach/qdisc_record.h"
#include "kernel/attach/xdp_attachments.h"
#include "kernel/pin_dir.h"

namespace espial {
namespace {

constexpr std::array kBoth{Direction::RECEIVE, Direction::TRANSMIT};

// A re-entry device that is not on the wire has no transmit side for us.
bool wants(const DevicePlan& plan, Direction direction) {
  return direction == Direction::RECEIVE || plan.role != DeviceRole::kReentry;
}

std::string device_name(int ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(static_cast<unsigned>(ifindex), name.data()) ? name.data()
                                                                     : std::to_string(ifindex);
}

}  // namespace

std::string Attachments::link_path(int ifindex, Direction direction) const {
  return fmt::format("{}/{}-{}", pinned_links_dir(pin_dir_), ifindex,
                     direction == Direction::RECEIVE ? "rx" : "tx");
}

Result<Attachments> Attachments::open(std::string pin_dir, std::string state_dir,
                                      const Programs& programs) {
  Attachments attachments;
  attachments.pin_dir_ = std::move(pin_dir);
  attachments.state_dir_ = std::move(state_dir);
  attachments.clsact_handle_ = clsact_handle(attachments.pin_dir_);
  const int probe = programs.program_fd(Direction::RECEIVE, DeviceRole::kReentry, true);
  attachments.mode_ = tcx_available(probe) ? AttachMode::kTcx : AttachMode::kClsact;
  if (attachments.mode_ == AttachMode::kTcx)
    attachments.adopt_links();
  else
    for (const auto& [ifindex, entry] : load_qdiscs(attachments.state_dir_)) {
      auto& device = attachments.devices_[ifindex];
      device.plan.ifindex = ifindex;
      for (const auto direction : kBoth)
        device.hooks[at(direction)].attached =
            clsact_program(ifindex, direction, attachments.clsact_handle_) != 0;
    }
  return attachments;
}

void Attachments::adopt_links() {
  for (const auto& name : list_dir(pinned_links_dir(pin_dir_))) {
    const auto path = pinned_links_dir(pin_dir_) + "/" + name;
    auto link = tcx_open(path);
    if (!link.ok() || link->ifindex == 0) {  // unreadable, or its device is gone
      unlink(path.c_str());
      continue;
    }
    auto& device = devices_[link->ifindex];
    device.plan.ifindex = link->ifindex;
    auto& hook = device.hooks[at(link->direction)];
    hook.attached = true;
    hook.link = std::move(*link);
  }
}

int Attachments::apply(const std::vector<DevicePlan>& plan, const Programs& programs) {
  int attached = 0;
  for (auto& [ifindex, device] : devices_) {
    const bool planned = std::any_of(plan.begin(), plan.end(),
                                     [&, i = ifindex](const auto& p) { return p.ifindex == i; });
    if (planned) continue;
    for (const auto direction : kBoth) detach(device, direction);
  }
  std::erase_if(devices_, [&](const auto& entry) {
    return std::none_of(plan.begin(), plan.end(),
                        [&](const auto& p) { return p.ifindex == entry.first; });
  });
  for (const auto& wanted : plan) {
    auto& device = devices_[wanted.ifindex];
    device.plan = wanted;
    for (const auto direction : kBoth) {
      device.hooks[at(direction)].wanted = wants(wanted, direction);
      if (!wants(wanted, direction))
        detach(device, direction);
      else if (attach(device, direction, programs))
        ++attached;
    }
  }
  return attached;
}

Missing Attachments::verify(const Programs& programs) {
  Missing missing;
  for (auto& [ifindex, device] : devices_) {
    for (const auto direction : kBoth) {
      auto& hook = device.hooks[at(direction)];
      if (!hook.wanted) continue;
      if (!still_there(device, direction)) {
        hook.attached = false;
        hook.link = {};
        // Not if the device itself is gone.
        if (attach(device, direction, programs)) ++missing.programs;
      } else if (keep_first(device, direction, programs)) {
        ++missing.programs;
      } else if (!pinned(device, direction)) {
        // The link holds without its pin, but would end with this process.
        if (replace_pin(hook.link.fd.get(), link_path(ifindex, direction)).ok()) ++missing.pins;
      }
    }
  }
  return missing;
}

bool Attachments::pinned(const Device& device, Direction direction) const {
  return mode_ == AttachMode::kClsact ||
         access(link_path(device.plan.ifindex, direction).c_str(), F_OK) == 0;
}

bool Attachments::still_there(Device& device, Direction direction) const {
  auto& hook = device.hooks[at(direction)];
  if (!hook.attached) return false;
  if (mode_ == AttachMode::kClsact)
    return clsact_program(device.plan.ifindex, direction, clsact_handle_) == hook.program;
  if (!tcx_refresh(hook.link).ok()) return false;
  return hook.link.ifindex == device.plan.ifindex && hook.link.program == hook.program;
}

bool Attachments::attach(Device& device, Direction direction, const Programs& programs) {
  auto& hook = device.hooks[at(direction)];
  const int program = programs.program_fd(direction, device.plan.role, device.plan.ethernet);
  hook.program = program_id(program);
  auto done = mode_ == AttachMode::kTcx ? attach_tcx(device, direction, program)
                                        : attach_clsact(device, direction, program);
  hook.attached = done.ok();
  hook.problem = done.ok() ? "" : done.error().message;
  return done.ok() && *done;
}

Result<bool> Attachments::attach_tcx(Device& device, Direction direction, int program_fd) {
  auto& hook = device.hooks[at(direction)];
  if (hook.link.fd.valid() && tcx_refresh(hook.link).ok() &&
      hook.link.ifindex == device.plan.ifindex) {
    if (hook.link.program != hook.program) EP_TRY(tcx_update(hook.link, program_fd));
    hook.link.program = hook.program;
    return false;
  }
  EP_ASSIGN(link, tcx_attach(program_fd, device.plan.ifindex, direction));
  EP_TRY(replace_pin(link.fd.get(), link_path(device.plan.ifindex, direction)));
  hook.link = std::move(link);
  return true;
}

// A program before ours may end the chain (any return value but TCX_NEXT), and ours would see
// nothing. The kernel takes a program once per hook (kernel/bpf/mprog.c), so ours has to leave
// before it comes first: a gap of microseconds.
bool Attachments::keep_first(Device& device, Direction direction, const Programs& programs) {
  if (mode_ != AttachMode::kTcx) return false;
  auto& hook = device.hooks[at(direction)];
  const auto chain = tcx_chain(device.plan.ifindex, direction);
  if (chain.empty() || chain.front() == hook.program) {
    hook.displaced.clear();
    return false;
  }
  hook.displaced = fmt::format("{}: {} runs before espial's and may end the chain",
                               to_string(direction), program_text(chain.front()));
  if (hook.put_first) return false;
  hook.put_first = true;
  if (!tcx_detach(hook.link).ok()) return false;
  hook.attached = false;
  hook.link = {};
  if (!attach(device, direction, programs)) return false;
  hook.displaced.clear();
  return true;
}

Result<bool> Attachments::attach_clsact(const Device& device, Direction direction, int program_fd) {
  const int ifindex = device.plan.ifindex;
  const auto before = clsact_program(ifindex, direction, clsact_handle_);
  bool made = false;
  if (before != device.hooks[at(direction)].program)
    EP_TRY(clsact_attach(program_fd, ifindex, direction, clsact_handle_, made));
  auto qdiscs = load_qdiscs(state_dir_);
  const auto known = qdiscs.find(ifindex);
  QdiscEntry entry{device.plan.name, made};
  // A device that still has our filter is the recorded one, though its name may be new; without, an
  // ifindex may have come to another device.
  if (known != qdiscs.end() && (before != 0 || known->second.name == entry.name))
    entry.made = entry.made || known->second.made;
  if (known == qdiscs.end() || known->second != entry) {
    qdiscs[ifindex] = entry;
    EP_TRY(save_qdiscs(state_dir_, qdiscs));
  }
  return before == 0;
}

void Attachments::detach(Device& device, Direction direction) {
  auto& hook = device.hooks[at(direction)];
  hook.wanted = false;
  if (!hook.attached) return;
  hook.attached = false;
  const int ifindex = device.plan.ifindex;
  if (mode_ == AttachMode::kTcx) {
    unlink(link_path(ifindex, direction).c_str());
    hook.link = {};
    return;
  }
  (void)clsact_detach(ifindex, direction, clsact_handle_);  // the device may be gone
  // The record stays as long as a filter does: `espial detach` finds filters by it.
  if (device.hooks[at(Direction::RECEIVE)].attached ||
      device.hooks[at(Direction::TRANSMIT)].attached)
    return;
  auto qdiscs = load_qdiscs(state_dir_);
  if (!qdiscs.contains(ifindex)) return;
  if (qdiscs[ifindex].made) (void)clsact_remove_unused(ifindex);
  qdiscs.erase(ifindex);
  (void)save_qdiscs(state_dir_, qdiscs);
}

std::vector<DeviceSnapshot> Attachments::status() const {
  std::vector<DeviceSnapshot> devices;
  for (const auto& [ifindex, device] : devices_) {
    DeviceSnapshot snapshot;
    snapshot.name = device.plan.name;
    snapshot.ifindex = ifindex;
    snapshot.role = device.plan.role;
    snapshot.expected = device.plan.expected;
    snapshot.why = device.plan.why;
    const auto& receive = device.hooks[at(Direction::RECEIVE)];
    const auto& transmit = device.hooks[at(Direction::TRANSMIT)];
    snapshot.receive_attached = receive.attached;
    snapshot.transmit_attached = transmit.attached;
    snapshot.mode = receive.attached || transmit.attached ? mode_ : AttachMode::kNone;
    for (const auto* hook : {&receive, &transmit})
      if (!hook->problem.empty()) snapshot.why = hook->problem;
    for (const auto* hook : {&receive, &transmit})
      if (!hook->displaced.empty()) snapshot.why = snapshot.displaced = hook->displaced;
    devices.push_back(std::move(snapshot));
  }
  std::sort(devices.begin(), devices.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return devices;
}

std::vector<DeviceSnapshot> find_attached(const std::string& pin_dir,
                                          const std::string& state_dir) {
  std::map<int, DeviceSnapshot> found;
  const auto note = [&](int ifindex, Direction direction, AttachMode mode) {
    auto& device = found[ifindex];
    device.ifindex = ifindex;
    device.name = device_name(ifindex);
    device.mode = mode;
    (direction == Direction::RECEIVE ? device.receive_attached : device.transmit_attached) = true;
  };
  for (const auto& name : list_dir(pinned_links_dir(pin_dir))) {
    const auto link = tcx_open(pinned_links_dir(pin_dir) + "/" + name);
    if (link.ok() && link->ifindex != 0) note(link->ifindex, link->direction, AttachMode::kTcx);
  }
  for (const auto& [ifindex, entry] : load_qdiscs(state_dir))
    for (const auto direction : kBoth)
      if (clsact_program(ifindex, direction, clsact_handle(pin_dir)) != 0)
        note(ifindex, direction, AttachMode::kClsact);
  std::vector<DeviceSnapshot> devices;
  for (auto& [ifindex, device] : found) {
    device.role = device.transmit_attached ? DeviceRole::kWire : DeviceRole::kReentry;
    devices.push_back(std::move(device));
  }
  return devices;
}

Result<std::string> detach_all(const std::string& pin_dir, const std::string& state_dir) {
  const auto links = list_dir(pinned_links_dir(pin_dir)).size() + find_xdp(pin_dir).size();
  const auto maps = list_dir(pin_dir + "/maps").size();
  std::size_t filters = 0;
  const auto handle = clsact_handle(pin_dir);
  for (const auto& [ifindex, entry] : load_qdiscs(state_dir)) {
    const auto before = filters;
    for (const auto direction : kBoth) {
      if (clsact_program(ifindex, direction, handle) == 0) continue;
      auto status = clsact_detach(ifindex, direction, handle);
      if (!status.ok()) return std::move(status).error().wrap(entry.name);
      ++filters;
    }
    // Neither our filter nor the name: another device by now.
    if (entry.made && (filters != before || device_name(ifindex) == entry.name))
      EP_TRY(clsact_remove_unused(ifindex));
  }
  EP_TRY(save_qdiscs(state_dir, {}));
  EP_TRY(remove_pin_dir(pin_dir));
  if (links + maps + filters == 0) return std::string("nothing was attached");
  return fmt::format("removed {} programs and {} maps", links + filters, maps);
}

}  // namespace espial
