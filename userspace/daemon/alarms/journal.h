// SPDX-License-Identifier: Apache-2.0
// Journal: lines with fields for systemd-journald, which never wait for it.
//
// Follows systemd's "Native Journal Protocol": one datagram a line. sd_journal_send(3) is not used
// because its socket blocks: a journald that hangs would hold up whoever tells it something.
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
  // Names are of A-Z, 0-9 and _; values are any bytes, cut after kMaxValue.
  using Fields = std::vector<std::pair<std::string_view, std::string>>;
  static constexpr std::size_t kMaxValue = 16384;

  // The journal that the descriptor is connected to, as $JOURNAL_STREAM says (systemd.exec(5),
  // "DEVICE:INODE"); null: it is connected to something else.
  static std::shared_ptr<Journal> of(int fd, const char* journal_stream,
                                     std::string_view socket = kJournalSocket);

  // At once, from any thread. False: the journal did not take it (it is full, or gone); how many
  // those were is the journal's first line when it takes lines again.
  bool send(const Fields& fields);

 private:
  Journal(UniqueFd fd, std::string socket) : fd_(std::move(fd)), socket_(std::move(socket)) {}
  [[nodiscard]] bool send_datagram(const std::string& datagram) const;

  UniqueFd fd_;
  std::string socket_;
  std::atomic<std::uint64_t> unsent_{0};
};

}  // namespace espial
