// SPDX-License-Identifier: Apache-2.0
#include "kernel/attach/xdp_attachments.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "kernel/attach/attached.h"
#include "kernel/attach/vlan_tags.h"
#include "kernel/pin_dir.h"

namespace espial {
namespace {

// Why the kernel refused, in words that say what to do.
std::string refusal(int error) {
  switch (error) {
    case EBUSY:
      return "another XDP program is attached; espial leaves it alone";
    case EOPNOTSUPP:
      return "its driver has no native XDP";
    case EPERM:
      return "no permission (needs CAP_BPF and CAP_NET_ADMIN)";
    default:
      return fmt::format("its driver refuses native XDP now: {} (MTU, LRO or queues)",
                         std::strerror(error));
  }
}

int ifindex_of_pin(const std::string& name) {
  int number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

}  // namespace

std::string XdpAttachments::link_path(int ifindex) const {
  return fmt::format("{}/{}", pinned_xdp_dir(pin_dir_), ifindex);
}

Status XdpAttachments::refresh(Link& link) {
  bpf_link_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(link.fd.get(), &info, &size) != 0)
    return Error{fmt::format("describe link: {}", std::strerror(errno))};
  if (info.type != BPF_LINK_TYPE_XDP) return Error{"is not an XDP link"};
  link.ifindex = static_cast<int>(info.xdp.ifindex);
  link.program = info.prog_id;
  return Ok{};
}

XdpAttachments XdpAttachments::open(std::string pin_dir) {
  XdpAttachments attachments;
  attachments.pin_dir_ = std::move(pin_dir);
  for (const auto& name : list_dir(pinned_xdp_dir(attachments.pin_dir_))) {
    const int ifindex = ifindex_of_pin(name);
    const auto path = attachments.link_path(ifindex);
    Link link;
    link.fd = UniqueFd(bpf_obj_get(path.c_str()));
    if (!link.fd.valid() || !refresh(link).ok() || link.ifindex != ifindex) {
      unlink(path.c_str());
      continue;
    }
    attachments.devices_[ifindex].link = std::move(link);
  }
  return attachments;
}

void XdpAttachments::apply(const std::vector<XdpPlan>& plan, const Programs& programs) {
  const auto planned = [&](int ifindex) {
    return std::any_of(plan.begin(), plan.end(),
                       [&](const XdpPlan& p) { return p.ifindex == ifindex; });
  };
  for (auto& [ifindex, device] : devices_)
    if (!planned(ifindex)) detach(device);
  std::erase_if(devices_, [&](const auto& entry) { return !planned(entry.first); });
  for (const XdpPlan& wanted : plan) {
    auto& device = devices_[wanted.ifindex];
    device.plan = wanted;
    device.problem.clear();
    if (!wanted.obstacle.empty()) {
      detach(device);
      continue;
    }
    if (auto status = attach(device, programs); !status.ok())
      device.problem = status.error().message;
  }
}

Missing XdpAttachments::verify(const Programs& programs) {
  Missing missing;
  for (auto& [ifindex, device] : devices_) {
    if (!device.plan.obstacle.empty()) continue;
    auto& link = device.link;
    const bool was = link.fd.valid();
    const bool pinned = access(link_path(ifindex).c_str(), F_OK) == 0;
    const bool ours = was && refresh(link).ok() && link.ifindex == ifindex;
    if (device.problem = vlan_tags_hidden(ifindex); !device.problem.empty()) {
      detach(device);
      continue;
    }
    if (ours) {
      // The link holds without its pin, but would end with this process.
      if (!pinned && replace_pin(link.fd.get(), link_path(ifindex)).ok()) ++missing.pins;
      continue;
    }
    link = {};
    auto status = attach(device, programs);
    device.problem = status.ok() ? "" : status.error().message;
    // Not if the device itself is gone.
    missing.programs += was && status.ok() ? 1 : 0;
  }
  return missing;
}

Status XdpAttachments::attach(Device& device, const Programs& programs) {
  const int program = programs.xdp_fd();
  auto& link = device.link;
  if (auto why = vlan_tags_hidden(device.plan.ifindex); !why.empty()) {
    detach(device);
    return Error{std::move(why)};
  }
  if (link.fd.valid() && refresh(link).ok() && link.ifindex == device.plan.ifindex) {
    if (link.program == program_id(program)) return Ok{};
    if (bpf_link_update(link.fd.get(), program, nullptr) == 0) return refresh(link);
  }
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
  link = {};
  link.fd = UniqueFd(bpf_link_create(program, device.plan.ifindex, BPF_XDP, &options));
  if (!link.fd.valid()) return Error{refusal(errno)};
  EP_TRY(refresh(link));
  return replace_pin(link.fd.get(), link_path(device.plan.ifindex));
}

void XdpAttachments::detach(Device& device) {
  if (!device.link.fd.valid()) return;
  unlink(link_path(device.link.ifindex).c_str());
  device.link = {};
}

std::map<int, XdpSnapshot> XdpAttachments::status() const {
  std::map<int, XdpSnapshot> all;
  for (const auto& [ifindex, device] : devices_) {
    XdpSnapshot& one = all[ifindex];
    one.wanted = true;
    one.required = device.plan.required;
    one.attached = device.link.fd.valid();
    one.why = !device.plan.obstacle.empty() ? device.plan.obstacle : device.problem;
  }
  return all;
}

std::vector<int> find_xdp(const std::string& pin_dir) {
  std::vector<int> found;
  for (const auto& name : list_dir(pinned_xdp_dir(pin_dir))) found.push_back(ifindex_of_pin(name));
  return found;
}

}  // namespace espial
