// SPDX-License-Identifier: Apache-2.0
// Family: one metric with its help and its series, as plain data.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "exposition/labels.h"

namespace exposition {

enum class Type { kCounter, kGauge };

struct Series {
  std::size_t labels_end = 0;  // in Family::labels; they begin where those of the one before end
  double value = 0;
};

// A series costs 16 bytes and the text of its labels, in two buffers for all of them.
struct Family {
  std::string name;
  std::string help;
  Type type = Type::kGauge;
  std::string labels;
  std::vector<Series> series;
};

template <typename Value>
concept Arithmetic = std::is_arithmetic_v<Value>;

// A Family in the making. Each series has labels of its own; their order is that of the text.
class FamilyBuilder {
 public:
  // name of a counter ends in _total.
  static FamilyBuilder counter(std::string_view name, std::string_view help) {
    return {name, help, Type::kCounter};
  }
  static FamilyBuilder gauge(std::string_view name, std::string_view help) {
    return {name, help, Type::kGauge};
  }

  template <Arithmetic Value>
  FamilyBuilder& add(const Labels& labels, Value value) {
    return add_text(labels.text(), {}, static_cast<double>(value));
  }

  // The labels of both: of what many families are about, and of what tells the series apart in this
  // one. Loops over many series render both beforehand.
  template <Arithmetic Value>
  FamilyBuilder& add(const Labels& labels, const Labels& more, Value value) {
    return add_text(labels.text(), more.text(), static_cast<double>(value));
  }

  [[nodiscard]] Family take() && { return std::move(family_); }

 private:
  FamilyBuilder(std::string_view name, std::string_view help, Type type)
      : family_{std::string(name), std::string(help), type, {}, {}} {}

  FamilyBuilder& add_text(std::string_view labels, std::string_view more, double value) {
    family_.labels += labels;
    if (!labels.empty() && !more.empty()) family_.labels += ',';
    family_.labels += more;
    family_.series.push_back({family_.labels.size(), value});
    return *this;
  }

  Family family_;
};

}  // namespace exposition
