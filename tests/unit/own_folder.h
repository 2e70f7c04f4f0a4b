// SPDX-License-Identifier: Apache-2.0
// A folder that no other run of the same test has: two checkouts may be tested at once.
#pragma once

#include <stdlib.h>

#include <gtest/gtest.h>
#include <string>

namespace espial::test {

// New and empty, its path short enough for a socket in it. The caller removes it.
inline std::string own_folder() {
  std::string pattern = ::testing::TempDir() + "espial-test-XXXXXX";
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr) << pattern;
  return pattern;
}

}  // namespace espial::test
