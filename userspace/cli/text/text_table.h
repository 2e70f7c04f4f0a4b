// SPDX-License-Identifier: Apache-2.0
// TextTable: aligned columns for people; columns that may go, go when the terminal is narrow.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/terminal/console.h"

namespace espial {

struct TextColumn {
  std::string title;
  bool right = false;       // align right: numbers
  unsigned expendable = 0;  // 0: always shown; else the highest go first when space is short
  std::size_t least = 0;    // its width at least, so that what is shown again does not jump
};

struct TextCell {
  std::string text;  // printable, one column per byte
  Colour colour = Colour::kNone;
};

class TextTable {
 public:
  explicit TextTable(std::vector<TextColumn> columns) : columns_(std::move(columns)) {}
  void add(std::vector<TextCell> row);  // as many cells as columns
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // The titles and one line per row, each ended by a newline.
  [[nodiscard]] std::string text(const RenderStyle& style) const;

 private:
  std::vector<TextColumn> columns_;
  std::vector<std::vector<TextCell>> rows_;
};

}  // namespace espial
