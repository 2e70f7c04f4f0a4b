// SPDX-License-Identifier: Apache-2.0
#include "sources/state/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/system_error.h"
#include "base/unique_fd.h"

namespace espial {
namespace {

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const auto done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return system_error(path, "write", errno);
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  if (::fsync(fd) != 0) return system_error(path, "fsync", errno);
  return Ok{};
}

}  // namespace

Status write_state_file(const std::string& folder, const std::string& path, std::string_view text) {
  std::error_code code;
  if (std::filesystem::create_directories(folder, code) && !code)
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, code);
  if (code) return system_error(folder, "create", code.value());
  return replace_file(folder, path, text);
}

// A name of its own per call: two writers do not share a half-written file.
Status replace_file(const std::string& folder, const std::string& path, std::string_view text,
                    mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!fd.valid()) return system_error(path, "create a temporary file beside it", errno);
  auto status = write_all(fd.get(), text, temporary);
  if (status.ok() && ::fchmod(fd.get(), mode) != 0)
    status = system_error(path, "set its mode", errno);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0)
    status = system_error(path, "rename", errno);
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::fsync(directory.get()) != 0)
    return system_error(folder, "fsync", errno);
  return Ok{};
}

Error keep_aside(const std::string& path, Error error) {
  const std::string aside = path + ".corrupt";
  error.message += ::rename(path.c_str(), aside.c_str()) == 0
                       ? " (kept aside as " + aside + ")"
                       : std::string(" (could not be kept aside: ") + std::strerror(errno) + ")";
  return error;
}

}  // namespace espial
