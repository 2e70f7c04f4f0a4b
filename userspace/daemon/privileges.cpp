// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace espial {
namespace {

struct FreeCaps {
  void operator()(std::remove_pointer_t<cap_t>* caps) const { cap_free(caps); }
};

Error privileges_error(const char* operation) {
  return Error{std::string("privileges: ") + operation + ": " + std::strerror(errno)};
}

}  // namespace

Status drop_privileges() {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps> now(cap_get_proc());
  const std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps> kept(cap_init());
  if (!now || !kept) return privileges_error("read capabilities");
  const cap_value_t net_admin = CAP_NET_ADMIN;
  cap_flag_value_t have = CAP_CLEAR;
  if (cap_get_flag(now.get(), net_admin, CAP_PERMITTED, &have) != 0)
    return privileges_error("read capabilities");
  if (have == CAP_SET) {
    cap_set_flag(kept.get(), CAP_PERMITTED, 1, &net_admin, CAP_SET);
    cap_set_flag(kept.get(), CAP_EFFECTIVE, 1, &net_admin, CAP_SET);
  }
  if (cap_set_proc(kept.get()) != 0) return privileges_error("drop capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return privileges_error("forbid new ones");
  return Ok{};
}

}  // namespace espial
