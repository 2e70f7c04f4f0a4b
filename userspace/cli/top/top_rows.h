// SPDX-License-Identifier: Apache-2.0
// The peers of a status document as the list of `espial top` has them: filtered and sorted.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/terminal/console.h"
#include "cli/top/top_view.h"

namespace espial {

struct TopRow {
  const nlohmann::json* peer = nullptr;  // in the document
  std::string name;                      // printable
  std::string verdict;                   // or "candidate"
  unsigned badness = 0;                  // of the verdict; 0 is worst
  double coverage[2] = {-1, -1};         // receive, transmit; -1: no traffic
  double packets[2] = {0, 0};            // per second over the window
  double bits[2] = {0, 0};
  std::uint64_t unprotected = 0;         // ever, both ways
  std::uint64_t unprotected_lately = 0;  // in the window
  std::uint64_t dropped = 0;             // by espial
  std::uint64_t kernel_drops = 0;
  std::uint64_t sas = 0;
  unsigned critical = 0;  // alarms that fire
  unsigned firing = 0;    // of any severity
  std::string alarm;      // the name of the worst that fires
};

// How bad a verdict is, 0 worst; "candidate" is one, too.
unsigned badness(std::string_view verdict);
Colour verdict_colour_of(std::string_view verdict);

// The rows that pass the filter, in the view's order; equal ones by worst first, then by name with
// numbers as numbers. The document must outlive them.
std::vector<TopRow> top_rows(const nlohmann::json& status, const TopView& view);

}  // namespace espial
