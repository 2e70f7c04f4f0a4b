// SPDX-License-Identifier: Apache-2.0
#include "cli/text/line_diff.h"

#include <algorithm>
#include <vector>

namespace espial {
namespace {

using LineViews = std::vector<std::string_view>;

LineViews line_views(std::string_view text) {
  LineViews lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

struct Edit {
  bool added = false;
  std::size_t line = 0;  // index in its own text
};

// E. Myers, "An O(ND) Difference Algorithm and Its Variations", the greedy form. Empty when more
// than kMaxEdits lines differ.
class Myers {
 public:
  Myers(const LineViews& before, const LineViews& after) : before_(before), after_(after) {}

  bool run(std::vector<Edit>& edits) {
    const auto n = static_cast<int>(before_.size());
    const auto m = static_cast<int>(after_.size());
    std::vector<int> reach{0, 0, 0};  // furthest x on diagonal k, at k + size/2
    for (int d = 0; d <= std::min(kMaxEdits, n + m); ++d) {
      std::vector<int> next(static_cast<std::size_t>(2 * d + 3), 0);
      for (int k = -d; k <= d; k += 2) {
        int x = start(reach, d, k);
        while (x < n && x - k < m && x - k >= 0 && same(x, x - k)) ++x;
        at(next, k) = x;
        if (x >= n && x - k >= m) {
          walk_back(d, k, edits);
          return true;
        }
      }
      trace_.push_back(next);
      reach = std::move(next);
    }
    return false;
  }

 private:
  static constexpr int kMaxEdits = 3000;

  [[nodiscard]] bool same(int x, int y) const {
    return before_[static_cast<std::size_t>(x)] == after_[static_cast<std::size_t>(y)];
  }
  static int& at(std::vector<int>& reach, int k) {
    return reach[static_cast<std::size_t>(k + static_cast<int>(reach.size() / 2))];
  }
  // Down (an added line) or right (a removed one) from the round before.
  static bool down(std::vector<int>& reach, int d, int k) {
    return k == -d || (k != d && at(reach, k - 1) < at(reach, k + 1));
  }
  static int start(std::vector<int>& reach, int d, int k) {
    if (d == 0) return 0;
    return down(reach, d, k) ? at(reach, k + 1) : at(reach, k - 1) + 1;
  }

  void walk_back(int d, int k, std::vector<Edit>& edits) {
    for (; d > 0; --d) {
      auto& reach = trace_[static_cast<std::size_t>(d - 1)];
      if (down(reach, d, k)) {
        ++k;
        edits.push_back({true, static_cast<std::size_t>(at(reach, k) - k)});
      } else {
        --k;
        edits.push_back({false, static_cast<std::size_t>(at(reach, k))});
      }
    }
    std::reverse(edits.begin(), edits.end());
  }

  const LineViews& before_;
  const LineViews& after_;
  std::vector<std::vector<int>> trace_;
};

}  // namespace

std::string line_diff(std::string_view before_text, std::string_view after_text) {
  LineViews before = line_views(before_text);
  LineViews after = line_views(after_text);
  // Most of two such texts is the same at both ends.
  std::size_t head = 0;
  while (head < before.size() && head < after.size() && before[head] == after[head]) ++head;
  std::size_t tail = 0;
  while (tail < before.size() - head && tail < after.size() - head &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail])
    ++tail;
  before = LineViews(before.begin() + static_cast<std::ptrdiff_t>(head),
                     before.end() - static_cast<std::ptrdiff_t>(tail));
  after = LineViews(after.begin() + static_cast<std::ptrdiff_t>(head),
                    after.end() - static_cast<std::ptrdiff_t>(tail));
  std::vector<Edit> edits;
  if (!Myers(before, after).run(edits)) {
    for (std::size_t i = 0; i < before.size(); ++i) edits.push_back({false, i});
    for (std::size_t i = 0; i < after.size(); ++i) edits.push_back({true, i});
  }
  std::string out;
  std::size_t old_at = 0;  // where both texts are after the last edit
  std::size_t new_at = 0;
  bool first = true;
  for (const auto& edit : edits) {
    const std::size_t same = edit.line - (edit.added ? new_at : old_at);
    if (first || same > 0) out += "@@ " + std::to_string(head + new_at + same + 1) + " @@\n";
    first = false;
    old_at += same + (edit.added ? 0 : 1);
    new_at += same + (edit.added ? 1 : 0);
    out += edit.added ? '+' : '-';
    out.append((edit.added ? after : before)[edit.line]).append("\n");
  }
  return out;
}

}  // namespace espial
