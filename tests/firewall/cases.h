// SPDX-License-Identifier: Apache-2.0
// The rule sets of tests/firewall/cases as their own tools printed them (tests/firewall/capture).
#pragma once

#include <string>

#include "model/facts/firewall.h"

namespace espial::test {

// The rule set of cases/NAME.json; a test failure if it cannot be read.
Ruleset firewall_case(const std::string& name);

}  // namespace espial::test
