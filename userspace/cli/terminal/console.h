// SPDX-License-Identifier: Apache-2.0
// Console: where a command writes, how, and how it waits between two frames of --watch.
#pragma once

#include <signal.h>

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace espial {

struct RenderStyle {
  bool colour = false;
  unsigned width = 0;  // columns; 0: as wide as needed
};

struct Console {
  std::ostream& out;
  std::ostream& err;
  RenderStyle style;
  bool terminal = false;  // out is one
  unsigned height = 0;    // rows of the terminal
  // Waits for the next frame of --watch; false: stop. Empty: a second, until SIGINT or SIGTERM.
  std::function<bool()> next_frame;
  int descriptor = -1;  // of out, when it has one
};

enum class Colour { kNone, kRed, kGreen, kYellow, kBold, kDim };

// A variable of the environment, empty when it is not set. Calls of setenv end what it names.
std::string_view environment(const char* name);

// text, which is already printable, with the escape sequences of colour if style has any.
std::string painted(std::string_view text, Colour colour, const RenderStyle& style);

// Style for standard output: colour on a terminal unless NO_COLOR is set or TERM is "dumb"
// (no-color.org); width and height from the terminal, 0 in a pipe. Sets style, terminal, height.
void measure_terminal(Console& console);

// Blocks SIGINT and SIGTERM in this thread while it lives, and waits for them.
class InterruptWait {
 public:
  InterruptWait();
  InterruptWait(const InterruptWait&) = delete;
  InterruptWait& operator=(const InterruptWait&) = delete;
  ~InterruptWait();
  // False when one of the signals came within the milliseconds.
  [[nodiscard]] bool sleep(int milliseconds) const;

 private:
  sigset_t signals_{};
  sigset_t before_{};
};

}  // namespace espial
