// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal/watch_screen.h"

#include <algorithm>
#include <ostream>

namespace espial {

std::string clip_line(std::string_view line, unsigned width) {
  std::string out;
  unsigned column = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      const auto end = std::min(line.find('m', i), line.size() - 1);
      out.append(line.substr(i, end - i + 1));
      i = end;
    } else if (width != 0 && column == width) {
      return out + "\x1b[0m";
    } else {
      out += line[i];
      ++column;
    }
  }
  return out;
}

void WatchScreen::show(std::string_view text) {
  if (!console_.terminal) {
    console_.out << text << std::flush;
    return;
  }
  // Home, each line followed by "erase to its end", then "erase what is below": what did not change
  // is overwritten by itself and nothing blinks.
  std::string frame = started_ ? "\x1b[H" : "\x1b[?25l\x1b[2J\x1b[H";
  started_ = true;
  const unsigned rows = console_.height == 0 ? 0 : console_.height - 1;
  for (unsigned row = 0; !text.empty() && (rows == 0 || row < rows); ++row) {
    const auto end = text.find('\n');
    frame += clip_line(text.substr(0, end), console_.style.width) + "\x1b[K\r\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (!text.empty())
    frame += std::to_string(std::count(text.begin(), text.end(), '\n')) + " more lines\x1b[K";
  console_.out << frame + "\x1b[J" << std::flush;
}

WatchScreen::~WatchScreen() {
  if (started_) console_.out << "\x1b[?25h\n" << std::flush;
}

}  // namespace espial
