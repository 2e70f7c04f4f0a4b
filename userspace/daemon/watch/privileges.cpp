// SPDX-License-Identifier: Apache-2.0
#include "daemon/watch/privileges.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <cerrno>
#include <iterator>
#include <memory>

#include "base/system_error.h"

namespace espial {
namespace {

constexpr cap_value_t kKept[] = {CAP_NET_ADMIN, CAP_NET_RAW};

struct FreeCaps {
  void operator()(std::remove_pointer_t<cap_t>* caps) const { cap_free(caps); }
};

Error privileges_error(const char* operation) {
  return system_error("privileges", operation, errno);
}

}  // namespace

Status drop_privileges() {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps> now(cap_get_proc());
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps> kept(cap_init());
  if (!now || !kept) return privileges_error("read capabilities");
  for (const auto one : kKept) {
    cap_flag_value_t have = CAP_CLEAR;
    if (cap_get_flag(now.get(), one, CAP_PERMITTED, &have) != 0)
      return privileges_error("read capabilities");
    if (have != CAP_SET) continue;
    cap_set_flag(kept.get(), CAP_PERMITTED, 1, &one, CAP_SET);
    // To be lent only.
    if (one == CAP_NET_ADMIN) cap_set_flag(kept.get(), CAP_EFFECTIVE, 1, &one, CAP_SET);
  }
  if (cap_set_proc(kept.get()) != 0) return privileges_error("drop capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return privileges_error("forbid new ones");
  return Ok{};
}

Status drop_every_privilege() {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps> none(cap_init());
  if (!none || cap_set_proc(none.get()) != 0) return privileges_error("drop capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return privileges_error("forbid new ones");
  return Ok{};
}

Status lend_network_privileges() {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps> caps(cap_get_proc());
  if (!caps) return privileges_error("read capabilities");
  bool have_them[std::size(kKept)] = {};
  for (std::size_t i = 0; i < std::size(kKept); ++i) {
    cap_flag_value_t have = CAP_CLEAR;
    if (cap_get_flag(caps.get(), kKept[i], CAP_PERMITTED, &have) != 0)
      return privileges_error("read capabilities");
    have_them[i] = have == CAP_SET;
    if (have_them[i]) cap_set_flag(caps.get(), CAP_INHERITABLE, 1, &kKept[i], CAP_SET);
  }
  if (cap_set_proc(caps.get()) != 0) return privileges_error("lend capabilities");
  for (std::size_t i = 0; i < std::size(kKept); ++i)
    if (have_them[i] && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
                              static_cast<unsigned long>(kKept[i]), 0, 0) != 0)
      return privileges_error("lend capabilities");
  return Ok{};
}

namespace {

// True: it was not so before, and is now.
bool put_net_raw_in_effect(cap_flag_value_t wanted) {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps> caps(cap_get_proc());
  const cap_value_t raw = CAP_NET_RAW;
  cap_flag_value_t now = wanted;
  if (!caps || cap_get_flag(caps.get(), raw, CAP_EFFECTIVE, &now) != 0 || now == wanted)
    return false;
  cap_set_flag(caps.get(), CAP_EFFECTIVE, 1, &raw, wanted);
  return cap_set_proc(caps.get()) == 0;
}

}  // namespace

NetRawInUse::NetRawInUse() : raised_(put_net_raw_in_effect(CAP_SET)) {}
NetRawInUse::~NetRawInUse() {
  if (raised_) put_net_raw_in_effect(CAP_CLEAR);
}

}  // namespace espial
