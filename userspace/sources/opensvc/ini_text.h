// SPDX-License-Identifier: Apache-2.0
// IniText: an index over the text of an INI file as the OpenSVC agent reads it (go-ini with python
// multi-line values): "#" and ";" comments, "=" or ":", values that go on behind a backslash or in
// indented lines, quotes, [DEFAULT], later keys win. Case counts.
//
// Views only: no value is copied until it is asked for, so that what nobody asks for, a secret,
// stays in the text alone. The text must outlive the index; whoever owns it can wipe it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace espial {

class IniText {
 public:
  explicit IniText(std::string_view text);

  [[nodiscard]] const std::vector<std::string_view>& sections() const { return sections_; }
  [[nodiscard]] bool has(std::string_view section, std::string_view key) const;
  // The value without quotes, comments and continuation marks, at most kMaxValue bytes.
  [[nodiscard]] std::optional<std::string> value(std::string_view section,
                                                 std::string_view key) const;
  // Lines (from 1) that are neither a section, a key nor a comment: the agent refuses such a file.
  [[nodiscard]] const std::vector<int>& bad_lines() const { return bad_lines_; }

  static constexpr std::size_t kMaxValue = 1 << 20;

 private:
  using Key = std::pair<std::string_view, std::string_view>;

  std::vector<std::string_view> sections_;
  std::map<Key, std::string_view> values_;  // raw, with their continuation lines
  std::vector<int> bad_lines_;
};

}  // namespace espial
