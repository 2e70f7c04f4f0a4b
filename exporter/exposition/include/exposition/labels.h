// SPDX-License-Identifier: Apache-2.0
// Labels: label pairs in the Prometheus text format.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace exposition {

// name="value",name="value". A value is checked and escaped here, once, however many series carry
// it. What is not UTF-8 becomes U+FFFD, and so do control characters but the line feed: one such
// byte (the name of a network device may hold any) would spoil a whole scrape.
class Labels {
 public:
  using Pair = std::pair<std::string_view, std::string_view>;

  Labels() = default;
  Labels(std::initializer_list<Pair> pairs);  // NOLINT: {{"a", "b"}} is how labels are written

  // name: [a-zA-Z_][a-zA-Z0-9_]*, not yet in here.
  Labels& add(std::string_view name, std::string_view value);

  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::string text_;
};

// The pairs that Labels::text(), or several of them with commas between, were made of.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> pairs_of(std::string_view text);

}  // namespace exposition
