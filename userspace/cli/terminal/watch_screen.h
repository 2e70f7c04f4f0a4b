// SPDX-License-Identifier: Apache-2.0
// WatchScreen: shows one text after another in place, without flicker or scrolling.
#pragma once

#include <string>
#include <string_view>

#include "cli/terminal/console.h"

namespace espial {

// On a terminal each text overwrites the last in a single write, clipped to the window, and the
// cursor is hidden while this lives. In a pipe texts follow each other.
class WatchScreen {
 public:
  explicit WatchScreen(Console& console) : console_(console) {}
  WatchScreen(const WatchScreen&) = delete;
  WatchScreen& operator=(const WatchScreen&) = delete;
  ~WatchScreen();

  void show(std::string_view text);

 private:
  Console& console_;
  bool started_ = false;
};

// line cut to width visible columns; colour sequences take none and are closed at the cut.
std::string clip_line(std::string_view line, unsigned width);

}  // namespace espial
