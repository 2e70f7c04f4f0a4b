// SPDX-License-Identifier: Apache-2.0
// The expressions of `nft -j` as keys and patterns, its statements as steps of a rule:
// libnftables-json(5), schema version 1.
//
// Pure functions; they do not throw. What they do not know becomes Field::kOther or Unknown, with
// the JSON as its text.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "model/facts/firewall.h"

namespace espial {

// Left-hand sides. A concatenation has several keys.
std::vector<Key> nft_keys(const nlohmann::json& json);

// A right-hand side: a value, a list of bits, a range, a prefix, an anonymous set.
std::vector<Element> nft_elements(const nlohmann::json& json, const std::vector<Key>& keys);

// One element of a set, as sets and verdict maps list it, without its verdict.
Element nft_element(const nlohmann::json& json, std::size_t fields);

// A constant of a statement: a number, an address, bits; nothing otherwise.
std::optional<Wide> nft_constant(const nlohmann::json& json);

// json as text for people and for Unknown, at most 200 characters.
std::string nft_text_of(const nlohmann::json& json);

RuleStep nft_statement(const nlohmann::json& json);

// {"jump": {"target": "x"}}, {"drop": null}...; not a verdict: nothing.
std::optional<VerdictStep> nft_verdict(const nlohmann::json& json);

}  // namespace espial
