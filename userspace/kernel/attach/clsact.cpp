// SPDX-License-Identifier: Apache-2.0
#include "kernel/attach/clsact.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"
#include "kernel/libbpf_log.h"

namespace espial {
namespace {

bpf_tc_attach_point attach_point(Direction direction) {
  return direction == Direction::RECEIVE ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

Error clsact_error(Direction direction, const char* operation, int error) {
  (void)libbpf_log_tail();  // libbpf's own words say the same
  return Error{fmt::format("{} clsact filter {}: {}{}", operation, to_string(direction),
                           std::strerror(error), error == EPERM ? " (needs CAP_NET_ADMIN)" : "")};
}

// Is there any filter on this hook? An unreadable answer counts as yes: nothing is removed then.
bool has_filters(int ifindex, Direction direction) {
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return true;
  struct {
    nlmsghdr head;
    tcmsg tc;
  } request{};
  request.head.nlmsg_len = sizeof(request);
  request.head.nlmsg_type = RTM_GETTFILTER;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.tc.tcm_family = AF_UNSPEC;
  request.tc.tcm_ifindex = ifindex;
  request.tc.tcm_parent =
      TC_H_MAKE(TC_H_CLSACT, direction == Direction::RECEIVE ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
  if (::send(socket.get(), &request, sizeof(request), 0) != sizeof(request)) return true;
  alignas(nlmsghdr) std::array<char, 16384> buffer{};
  const auto length = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
  if (length < static_cast<ssize_t>(sizeof(nlmsghdr))) return true;
  const auto* head = reinterpret_cast<const nlmsghdr*>(buffer.data());
  return head->nlmsg_type != NLMSG_DONE;
}

}  // namespace

std::uint32_t clsact_handle(std::string_view pin_dir) {
  // FNV-1a, folded to 24 bits under a first byte that marks it as ours.
  std::uint32_t hash = 2166136261U;
  for (const char c : pin_dir) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return 0xe5000000U | ((hash >> 24) ^ (hash & 0xffffffU));
}

Status clsact_attach(int program_fd, int ifindex, Direction direction, std::uint32_t handle,
                     bool& made_qdisc) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
              .attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST) return clsact_error(direction, "prepare", -created);
  made_qdisc = created == 0;
  hook.attach_point = attach_point(direction);
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program_fd, .flags = BPF_TC_F_REPLACE,
              .handle = handle, .priority = kClsactPriority);
  if (const int error = bpf_tc_attach(&hook, &options); error != 0)
    return clsact_error(direction, "attach", -error);
  return Ok{};
}

std::uint32_t clsact_program(int ifindex, Direction direction, std::uint32_t handle) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = attach_point(direction));
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = kClsactPriority);
  if (bpf_tc_query(&hook, &options) != 0) {
    (void)libbpf_log_tail();
    return 0;
  }
  return options.prog_id;
}

Status clsact_detach(int ifindex, Direction direction, std::uint32_t handle) {
  if (clsact_program(ifindex, direction, handle) == 0) return Ok{};
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = attach_point(direction));
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = kClsactPriority);
  const int error = bpf_tc_detach(&hook, &options);
  if (error != 0 && error != -ENOENT && error != -ENODEV)
    return clsact_error(direction, "remove", -error);
  return Ok{};
}

Status clsact_remove_unused(int ifindex) {
  if (has_filters(ifindex, Direction::RECEIVE) || has_filters(ifindex, Direction::TRANSMIT))
    return Ok{};
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
              .attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  const int error = bpf_tc_hook_destroy(&hook);
  if (error != 0 && error != -ENOENT && error != -ENODEV && error != -EINVAL)
    return Error{fmt::format("remove clsact qdisc: {}", std::strerror(-error))};
  return Ok{};
}

}  // namespace espial
