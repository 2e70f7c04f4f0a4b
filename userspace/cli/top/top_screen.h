// SPDX-License-Identifier: Apache-2.0
// The screens of `espial top` as lines: what a terminal shows of a status document and a view.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/top/top_view.h"

namespace espial {

// What was learnt last.
struct TopData {
  nlohmann::json status;  // null: nothing yet
  nlohmann::json flows;   // null: not asked for
  std::string problem;    // why there is nothing newer; printable, one line; empty: there is
};

// Lines are printable ASCII with the colour sequences of painted(), no wider and no more than the
// view's size. The selected line is marked by ">", too.
struct TopScreen {
  std::vector<std::string> lines;
  std::optional<std::size_t> selected;
  std::optional<std::size_t> titles;  // of the list
  TopExtent extent;
};

// Pure. colour: with sequences; without, everything is still said.
TopScreen render_top(const TopData& data, const TopView& view, bool colour);

}  // namespace espial
