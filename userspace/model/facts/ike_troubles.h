// SPDX-License-Identifier: Apache-2.0
// IkeTroubles: from the lines of charon's log to what went wrong last, by connection. Pure but for
// its memory.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/facts/ike_trouble.h"

namespace espial {

// One line of charon's log. Strings are as long as the peer of this process likes.
struct CharonLine {
  std::string connection;  // "(unnamed)" and empty: none
  std::string ike_sa;      // charon's number of the IKE_SA; empty: of none
  std::string text;
};

// What the line says went wrong (strongSwan 5.9's words). Nothing: that all is well, or something
// else.
std::optional<IkeTroubleKind> trouble_in(std::string_view line);

// The last trouble of each connection and each host, from the lines as they come. Bounded.
class IkeTroubles {
 public:
  static constexpr std::size_t kMost = 1024;

  void take(const CharonLine& line, std::chrono::system_clock::time_point now);
  // Of a connection that has what it wants.
  void forget(std::string_view connection);
  [[nodiscard]] std::vector<IkeTrouble> all() const;

 private:
  struct Logged {
    IkeTrouble trouble;
    std::string ike_sa;
  };
  std::string remember_host(const CharonLine& line);
  static bool follows(const Logged& known, IkeTroubleKind kind, std::string_view ike_sa);

  std::map<std::string, Logged> troubles_;                 // by connection, or "@" and the host
  std::deque<std::pair<std::string, std::string>> began_;  // IKE_SA, host that began it
};

}  // namespace espial
