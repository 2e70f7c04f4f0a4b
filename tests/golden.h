// SPDX-License-Identifier: Apache-2.0
// Golden files: tests/golden/NAME is what was promised; ESPIAL_UPDATE_GOLDEN=1 rewrites it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace espial::testing {

inline std::string golden_path(const std::string& name) {
  return std::string(ESPIAL_GOLDEN_DIR) + "/" + name;
}

inline std::string read_golden(const std::string& name) {
  std::ifstream file(golden_path(name), std::ios::binary);
  EXPECT_TRUE(file.good()) << golden_path(name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void expect_golden(const std::string& name, const std::string& actual) {
  if (std::getenv("ESPIAL_UPDATE_GOLDEN") != nullptr)
    std::ofstream(golden_path(name), std::ios::binary) << actual;
  EXPECT_EQ(read_golden(name), actual) << "after an intended change: ESPIAL_UPDATE_GOLDEN=1";
}

}  // namespace espial::testing
