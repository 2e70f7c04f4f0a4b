// SPDX-License-Identifier: Apache-2.0
#include "base/trusted_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/system_error.h"
#include "base/unique_fd.h"

namespace espial {
namespace {

constexpr std::size_t kMaxFileSize = std::size_t{64} << 20;

Status believe(const std::string& path, const struct stat& status) {
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return Error{path + ": belongs to user " + std::to_string(status.st_uid) +
                 ": not believed (chown it, or remove it)"};
  if ((status.st_mode & 0022) != 0)
    return Error{path + ": others may write it: not believed (chmod go-w " + path + ")"};
  return Ok{};
}

Status believe_folder(const std::string& path) {
  const auto slash = path.rfind('/');
  const auto folder = slash == std::string::npos ? std::string(".") : path.substr(0, slash + 1);
  struct stat status = {};
  if (::stat(folder.c_str(), &status) != 0) return system_error(folder, "look", errno);
  return believe(folder, status);
}

}  // namespace

Result<std::optional<std::string>> read_file(const std::string& path, Trust trust) {
  const UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid() && errno == ENOENT) return std::optional<std::string>();
  if (!fd.valid()) return system_error(path, "open", errno);
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return system_error(path, "look", errno);
  if (!S_ISREG(status.st_mode)) return Error{path + ": is not a regular file"};
  if (trust == Trust::kOwners) {
    EP_TRY(believe_folder(path));
    EP_TRY(believe(path, status));
  }
  std::string text;
  std::array<char, 16384> chunk;
  for (;;) {
    const auto got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(path, "read", errno);
    if (got == 0) return std::optional(std::move(text));
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > kMaxFileSize) return system_error(path, "read", EFBIG);
  }
}

}  // namespace espial
