// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>

namespace espial {
namespace {

std::string_view sequence(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      return "";
    case Colour::kRed:
      return "\x1b[1;31m";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kBold:
      return "\x1b[1m";
    case Colour::kDim:
      return "\x1b[2m";
  }
  return "";
}

}  // namespace

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string painted(std::string_view text, Colour colour, const RenderStyle& style) {
  if (!style.colour || colour == Colour::kNone || text.empty()) return std::string(text);
  return std::string(sequence(colour)).append(text).append("\x1b[0m");
}

void measure_terminal(Console& console) {
  console.terminal = ::isatty(STDOUT_FILENO) == 1;
  console.style = {};
  console.descriptor = STDOUT_FILENO;
  if (!console.terminal) return;
  console.style.colour = environment("NO_COLOR").empty() && environment("TERM") != "dumb";
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return;
  console.style.width = size.ws_col;
  console.height = size.ws_row;
}

InterruptWait::InterruptWait() {
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, SIGINT);
  ::sigaddset(&signals_, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

InterruptWait::~InterruptWait() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

bool InterruptWait::sleep(int milliseconds) const {
  const timespec span{milliseconds / 1000, (milliseconds % 1000) * 1000000L};
  // A stop and continue (EINTR) only makes the next frame come early.
  return ::sigtimedwait(&signals_, nullptr, &span) < 0;
}

}  // namespace espial
