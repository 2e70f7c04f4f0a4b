// SPDX-License-Identifier: Apache-2.0
#include "daemon/alarms/journal.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdio>

namespace espial {
namespace {

bool is_stream(int fd, const char* journal_stream) {
  unsigned long long device = 0;
  unsigned long long inode = 0;
  struct stat info = {};
  return journal_stream != nullptr &&
         std::sscanf(journal_stream, "%llu:%llu", &device, &inode) == 2 &&
         ::fstat(fd, &info) == 0 && info.st_dev == device && info.st_ino == inode;
}

// A value of several lines is preceded by its length, little-endian.
void append(std::string& datagram, std::string_view name, std::string_view value) {
  value = value.substr(0, Journal::kMaxValue);
  datagram.append(name);
  if (value.find('\n') == std::string_view::npos) {
    datagram.append("=").append(value).append("\n");
    return;
  }
  datagram.append("\n");
  for (std::uint64_t rest = value.size(), i = 0; i < 8; ++i, rest >>= 8)
    datagram += static_cast<char>(rest & 0xff);
  datagram.append(value).append("\n");
}

std::string datagram_of(const Journal::Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) append(out, name, value);
  append(out, "SYSLOG_IDENTIFIER", "espial");
  return out;
}

}  // namespace

std::shared_ptr<Journal> Journal::of(int fd, const char* journal_stream, std::string_view socket) {
  if (!is_stream(fd, journal_stream) || socket.size() >= sizeof(sockaddr_un::sun_path))
    return nullptr;
  UniqueFd own(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!own.valid()) return nullptr;
  return std::shared_ptr<Journal>(new Journal(std::move(own), std::string(socket)));
}

// Sent to the address each time, so that it reaches a restarted journald, too.
bool Journal::send_datagram(const std::string& datagram) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(socket_.begin(), socket_.end(), address.sun_path);
  return ::sendto(fd_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                  reinterpret_cast<const sockaddr*>(&address), sizeof address) >= 0;
}

bool Journal::send(const Fields& fields) {
  if (const auto unsent = unsent_.load(); unsent > 0) {
    const auto sent = send_datagram(datagram_of(
        {{"MESSAGE", std::to_string(unsent) + " lines lost: the journal did not accept them"},
         {"PRIORITY", "4"}}));
    if (sent) unsent_ -= unsent;
  }
  if (send_datagram(datagram_of(fields))) return true;
  ++unsent_;
  return false;
}

}  // namespace espial
