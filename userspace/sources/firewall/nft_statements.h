// SPDX-License-Identifier: Apache-2.0
// The statements of `nft -j` as steps of a rule. Pure; what is not known becomes Unknown.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "model/facts/firewall.h"

namespace espial {

RuleStep nft_statement(const nlohmann::json& json);

// {"jump": {"target": "x"}}, {"drop": null}...; not a verdict: nothing.
std::optional<VerdictStep> nft_verdict(const nlohmann::json& json);

}  // namespace espial
