// SPDX-License-Identifier: Apache-2.0
#include "kernel/attach/tcx.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/printable.h"
#include "base/system_error.h"
#include "kernel/attach/attached.h"

namespace espial {
namespace {

// From the kernel's include/uapi/linux/bpf.h (6.6); Debian 12's headers are older.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);
constexpr __u32 kLinkTypeTcx = 11;
constexpr __u32 kBefore = 1U << 3;  // BPF_F_BEFORE; relative to nothing: first of all
constexpr int kNoDevice = std::numeric_limits<int>::max();

// bpf_link_info of a tcx link: the common head, then {ifindex, attach_type}.
struct TcxLinkInfo {
  __u32 type;
  __u32 id;
  __u32 prog_id;
  __u32 padding;
  __u32 ifindex;
  __u32 attach_type;
  __u64 rest[8];
};

bpf_attach_type attach_type(Direction direction) {
  return direction == Direction::RECEIVE ? kTcxIngress : kTcxEgress;
}

}  // namespace

bool tcx_available(int program_fd) {
  // Before 6.6 the hook is refused as unknown (EINVAL) before the kernel looks for the device.
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = kBefore);
  const UniqueFd link(bpf_link_create(program_fd, kNoDevice, kTcxIngress, &options));
  return link.valid() || errno == ENODEV;
}

Result<TcxLink> tcx_attach(int program_fd, int ifindex, Direction direction) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = kBefore);
  TcxLink link;
  link.fd = UniqueFd(bpf_link_create(program_fd, ifindex, attach_type(direction), &options));
  if (!link.fd.valid())
    return Error{fmt::format("attach tcx {}: {}{}", to_string(direction), std::strerror(errno),
                             errno == EPERM ? " (needs CAP_BPF and CAP_NET_ADMIN)" : "")};
  link.ifindex = ifindex;
  link.direction = direction;
  link.program = program_id(program_fd);
  return link;
}

Result<TcxLink> tcx_open(const std::string& path) {
  TcxLink link;
  link.fd = UniqueFd(bpf_obj_get(path.c_str()));
  if (!link.fd.valid()) return system_error(path, "open", errno);
  auto status = tcx_refresh(link);
  if (!status.ok()) return std::move(status).error().wrap(path);
  return link;
}

Status tcx_refresh(TcxLink& link) {
  TcxLinkInfo info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(link.fd.get(), &info, &size) != 0)
    return Error{fmt::format("describe link: {}", std::strerror(errno))};
  if (info.type != kLinkTypeTcx) return Error{"is not a tcx link"};
  link.ifindex = static_cast<int>(info.ifindex);
  link.program = info.prog_id;
  link.direction = info.attach_type == kTcxIngress ? Direction::RECEIVE : Direction::TRANSMIT;
  return Ok{};
}

Status tcx_detach(const TcxLink& link) {
  if (bpf_link_detach(link.fd.get()) != 0)
    return Error{fmt::format("detach link: {}", std::strerror(errno))};
  return Ok{};
}

std::vector<std::uint32_t> tcx_chain(int ifindex, Direction direction) {
  std::vector<std::uint32_t> programs(64);
  LIBBPF_OPTS(bpf_prog_query_opts, options);
  options.prog_ids = programs.data();
  options.prog_cnt = static_cast<__u32>(programs.size());
  if (bpf_prog_query_opts(ifindex, attach_type(direction), &options) != 0) return {};
  programs.resize(std::min<std::size_t>(programs.size(), options.prog_cnt));
  return programs;
}

std::string program_text(std::uint32_t id) {
  const UniqueFd program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (!program.valid() || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0)
    return fmt::format("a program (id {})", id);
  return fmt::format("{} (id {})", printable(info.name), id);
}

Status tcx_update(const TcxLink& link, int program_fd) {
  if (bpf_link_update(link.fd.get(), program_fd, nullptr) != 0)
    return Error{fmt::format("exchange program: {}", std::strerror(errno))};
  return Ok{};
}

}  // namespace espial
