// SPDX-License-Identifier: Apache-2.0
#include "cli/top/curses_screen.h"

// ncurses' functions, not macros of the same names.
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/printable.h"
#include "cli/terminal/console.h"

namespace espial {
namespace {

constexpr int kRedraw = 'L' & 0x1f;  // Ctrl-L: when others wrote on the terminal
constexpr int kEscapeDelay = 25;     // milliseconds after which an escape is the key itself

// Pairs of colours on the terminal's own background. Red and green are what the colour-blind
// confuse: good is cyan. The words say the same.
constexpr short kRedPair = 1;
constexpr short kGoodPair = 2;
constexpr short kYellowPair = 3;

// The attribute of a colour sequence of painted(), without its escape: "[1;31m".
attr_t attribute(std::string_view sequence) {
  if (sequence == "[1;31m") return static_cast<attr_t>(COLOR_PAIR(kRedPair)) | A_BOLD;
  if (sequence == "[32m") return static_cast<attr_t>(COLOR_PAIR(kGoodPair));
  if (sequence == "[33m") return static_cast<attr_t>(COLOR_PAIR(kYellowPair));
  if (sequence == "[1m") return A_BOLD;
  if (sequence == "[2m") return A_DIM;
  return A_NORMAL;
}

void draw_line(int row, std::string_view line, attr_t always) {
  ::move(row, 0);
  ::attrset(static_cast<int>(always));
  while (!line.empty()) {
    const auto end = std::min(line.find('\x1b'), line.size());
    if (end > 0) ::addnstr(line.data(), static_cast<int>(end));
    line.remove_prefix(end);
    if (line.empty()) break;
    const auto stop = std::min(line.find('m'), line.size() - 1);
    ::attrset(static_cast<int>(always | attribute(line.substr(1, stop))));
    line.remove_prefix(stop + 1);
  }
  ::attrset(static_cast<int>(always));
  if (always != A_NORMAL) {
    for (int column = ::getcurx(stdscr); column < COLS && ::getcury(stdscr) == row; ++column)
      ::addch(' ');
    ::attrset(A_NORMAL);
  } else if (::getcury(stdscr) == row) {
    ::clrtoeol();
  }
}

TopKey named(int key) {
  using Kind = TopKey::Kind;
  if (key >= 0x20 && key < 0x7f) return {Kind::kText, static_cast<char>(key)};
  switch (key) {
    case KEY_UP:
      return {Kind::kUp, 0};
    case KEY_DOWN:
      return {Kind::kDown, 0};
    case KEY_LEFT:
      return {Kind::kLeft, 0};
    case KEY_RIGHT:
      return {Kind::kRight, 0};
    case KEY_PPAGE:
      return {Kind::kPageUp, 0};
    case KEY_NPAGE:
      return {Kind::kPageDown, 0};
    case KEY_HOME:
      return {Kind::kHome, 0};
    case KEY_END:
      return {Kind::kEnd, 0};
    case KEY_ENTER:
    case '\r':
    case '\n':
      return {Kind::kEnter, 0};
    case 0x1b:
      return {Kind::kEscape, 0};
    case KEY_BACKSPACE:
    case 0x7f:
    case '\b':
      return {Kind::kBackspace, 0};
    default:  // a key of the terminal, no enum of ours
      return {};
  }
}

Error no_screen(const std::string& why) {
  return Error{"top: " + why + " (use: espial status --watch)", Failure::kUsage};
}

}  // namespace

void CursesScreen::End::operator()(void* screen) const {
  ::endwin();
  ::delscreen(static_cast<SCREEN*>(screen));
}

Status CursesScreen::usable() {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1)
    return no_screen("standard input and output are no terminal");
  const auto term = environment("TERM");
  if (term.empty()) return no_screen("TERM is not set");
  if (term == "dumb") return no_screen("TERM is \"dumb\": it cannot show a live view");
  return Ok{};
}

Result<CursesScreen> CursesScreen::open() {
  EP_TRY(usable());
  CursesScreen screen;
  screen.screen_.reset(::newterm(nullptr, stdout, stdin));
  if (!screen.screen_)
    return no_screen("TERM is " + in_quotes(environment("TERM")) + ": unknown terminal type");
  ::cbreak();
  ::noecho();
  ::nonl();
  ::curs_set(0);
  ::set_escdelay(kEscapeDelay);
  ::keypad(stdscr, TRUE);
  ::nodelay(stdscr, TRUE);
  ::leaveok(stdscr, TRUE);
  if (environment("NO_COLOR").empty() && ::has_colors()) {
    ::start_color();
    ::use_default_colors();
    ::init_pair(kRedPair, COLOR_RED, -1);
    ::init_pair(kGoodPair, COLOR_CYAN, -1);
    ::init_pair(kYellowPair, COLOR_YELLOW, -1);
    screen.colour_ = true;
  }
  return screen;
}

void CursesScreen::measure(TopView& view) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
      ::is_term_resized(size.ws_row, size.ws_col))
    ::resizeterm(size.ws_row, size.ws_col);
  view.width = static_cast<unsigned>(COLS);
  view.height = static_cast<unsigned>(LINES);
}

void CursesScreen::draw(const TopScreen& screen) {
  ::erase();
  for (std::size_t i = 0; i < screen.lines.size() && static_cast<int>(i) < LINES; ++i) {
    const attr_t always = screen.selected == i ? A_REVERSE
                          : screen.titles == i ? A_UNDERLINE
                                               : A_NORMAL;
    draw_line(static_cast<int>(i), screen.lines[i], always);
  }
  ::refresh();
}

std::optional<TopKey> CursesScreen::key() {
  const int key = ::getch();
  if (key == ERR) return std::nullopt;
  if (key == kRedraw) ::clearok(::curscr, TRUE);
  return named(key);
}

}  // namespace espial
