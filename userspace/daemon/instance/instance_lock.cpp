// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance/instance_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>

#include "base/system_error.h"

namespace espial {

Result<UniqueFd> lock_instance(const std::string& state_dir) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (!error) std::filesystem::permissions(state_dir, std::filesystem::perms::owner_all, error);
  if (error) return Error{fmt::format("{}: make folder: {}", state_dir, error.message())};
  const auto path = state_dir + "/lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!fd.valid()) return system_error(path, "open", errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return Error{
        fmt::format("{}: another espial runs with this state_dir (stop it, or set another "
                    "instance)",
                    path)};
  return fd;
}

}  // namespace espial
