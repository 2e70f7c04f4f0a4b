// SPDX-License-Identifier: Apache-2.0
// CursesScreen: the terminal as ncurses has it. It draws lines and says which keys were pressed;
// what is on them is decided elsewhere.
#pragma once

#include <memory>
#include <optional>

#include "base/result.h"
#include "cli/top/top_screen.h"

namespace espial {

// One at a time, one thread; the terminal is as before when this goes. ncurses itself puts it right
// around a stop (SIGTSTP) and a continue. Signals that end the program are the caller's to block.
class CursesScreen {
 public:
  // kUsage when there is no terminal, or none to draw on: said without touching it.
  static Status usable();
  // The same for a TERM that ncurses does not know. Takes the terminal.
  static Result<CursesScreen> open();

  CursesScreen(CursesScreen&&) noexcept = default;
  CursesScreen& operator=(CursesScreen&&) noexcept = default;

  // Does it have colours, and does the user want them (NO_COLOR)?
  [[nodiscard]] bool colour() const { return colour_; }
  // As it is now, also after it was resized.
  void measure(TopView& view);
  // Only what differs from the last one is sent.
  void draw(const TopScreen& screen);
  // What was pressed, without waiting; nothing: no more keys.
  std::optional<TopKey> key();

 private:
  struct End {
    void operator()(void* screen) const;
  };
  CursesScreen() = default;
  std::unique_ptr<void, End> screen_;
  bool colour_ = false;
};

}  // namespace espial
