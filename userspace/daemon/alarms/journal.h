// SPDX-License-Identifier: Apache-2.0
// Journal: sends lines with fields to systemd-journald and never blocks.
//
// Follows systemd's "Native Journal Protocol": one datagram per line. sd_journal_send(3) is not
// used because its socket blocks: a journald that hangs would block the caller.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace espial {

inline constexpr std::string_view kJournalSocket = "/run/systemd/journal/socket";

class Journal {
 public:
  // Names consist of A-Z, 0-9 and _; values are any bytes, truncated to kMaxValue.
  using Fields = std::vector<std::pair<std::string_view, std::string>>;
  static constexpr std::size_t kMaxValue = 16384;

  // The journal that the descriptor is connected to, as $JOURNAL_STREAM says (systemd.exec(5),
  // "DEVICE:INODE"); null: it is connected to something else.
  static std::shared_ptr<Journal> of(int fd, const char* journal_stream,
                                     std::string_view socket = kJournalSocket);

  // Immediate, from any thread. False: the journal did not accept it (it is full, or not running);
  // the number of lost lines is sent first when it accepts lines again.
  bool send(const Fields& fields);

 private:
  Journal(UniqueFd fd, std::string socket) : fd_(std::move(fd)), socket_(std::move(socket)) {}
  [[nodiscard]] bool send_datagram(const std::string& datagram) const;

  UniqueFd fd_;
  std::string socket_;
  std::atomic<std::uint64_t> unsent_{0};
};

}  // namespace espial
