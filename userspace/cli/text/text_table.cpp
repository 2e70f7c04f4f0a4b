// SPDX-License-Identifier: Apache-2.0
#include "cli/text/text_table.h"

#include <algorithm>
#include <cassert>

namespace espial {
namespace {

constexpr std::size_t kGap = 2;

// The columns that fit into width, given what each needs.
std::vector<std::size_t> choose(const std::vector<TextColumn>& columns,
                                const std::vector<std::size_t>& widths, unsigned width) {
  std::vector<std::size_t> shown(columns.size());
  std::size_t total = 0;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    shown[i] = i;
    total += widths[i] + kGap;
  }
  while (width != 0 && total > width + kGap) {
    const auto last = std::max_element(shown.begin(), shown.end(), [&](auto a, auto b) {
      return columns[a].expendable < columns[b].expendable;
    });
    if (last == shown.end() || columns[*last].expendable == 0) break;
    // What goes together, as receive and transmit do, stays or goes together.
    const auto level = columns[*last].expendable;
    for (const auto i : shown)
      if (columns[i].expendable == level) total -= widths[i] + kGap;
    std::erase_if(shown, [&](auto i) { return columns[i].expendable == level; });
  }
  return shown;
}

}  // namespace

void TextTable::add(std::vector<TextCell> row) {
  assert(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::string TextTable::text(const RenderStyle& style) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = std::max(columns_[i].title.size(), columns_[i].least);
    for (const auto& row : rows_) width = std::max(width, row[i].text.size());
    widths.push_back(width);
  }
  const auto shown = choose(columns_, widths, style.width);
  std::string out;
  const auto line = [&](const auto& cell_of) {
    std::size_t pending = 0;  // spaces, written only when something follows
    for (const auto i : shown) {
      const TextCell& cell = cell_of(i);
      const auto padding = widths[i] - cell.text.size();
      if (columns_[i].right) pending += padding;
      if (!cell.text.empty()) {
        out.append(pending, ' ').append(painted(cell.text, cell.colour, style));
        pending = 0;
      }
      pending += kGap + (columns_[i].right ? 0 : padding);
    }
    out += '\n';
  };
  std::vector<TextCell> titles;
  for (const auto& column : columns_) titles.push_back({column.title, Colour::kBold});
  line([&](std::size_t i) -> const TextCell& { return titles[i]; });
  for (const auto& row : rows_) line([&](std::size_t i) -> const TextCell& { return row[i]; });
  return out;
}

}  // namespace espial
