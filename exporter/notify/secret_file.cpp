// SPDX-License-Identifier: Apache-2.0
#include "exporter/notify/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace espial {
namespace {

constexpr std::size_t kMaxSecret = 4096;

Result<UniqueFd> open_secret(const std::string& path) {
  // A FIFO of that name would otherwise hold the thread up.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return Error{path + ": " + std::strerror(errno)};
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return Error{path + ": " + std::strerror(errno)};
  if (!S_ISREG(info.st_mode)) return Error{path + ": not a regular file"};
  if (info.st_uid != 0 && info.st_uid != ::geteuid())
    return Error{path + ": belongs to another user (chown root)"};
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return Error{path + ": others than its owner may use it (chmod 600)"};
  return fd;
}

}  // namespace

Status check_secret_file(const std::string& path) {
  EP_TRY(open_secret(path));
  return Ok{};
}

Result<PrivateBuffer> read_secret(const std::string& path) {
  EP_ASSIGN(fd, open_secret(path));
  PrivateBuffer secret(kMaxSecret + 1);
  std::size_t length = 0;
  while (length < kMaxSecret) {
    const auto got = ::read(fd.get(), secret.data() + length, kMaxSecret - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{path + ": " + std::strerror(errno)};
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length == kMaxSecret) return Error{path + ": too long for a password"};
  const auto text = secret.text(length);
  const auto end = std::min(text.find_first_of(std::string_view("\r\n\0", 3)), length);
  if (end == 0) return Error{path + ": its first line is empty"};
  secret.data()[end] = 0;
  return secret;
}

}  // namespace espial
