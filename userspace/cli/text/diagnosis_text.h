// SPDX-License-Identifier: Apache-2.0
// The documents of `audit`, `doctor`, `doctor --explain` and `verify` as people read them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/terminal/console.h"

namespace espial {

std::string render_audit(const nlohmann::json& document, const RenderStyle& style);
// 1: some pair is exposed or misconfigured; 3: none is, but policies cannot be read; else 0.
int audit_exit(const nlohmann::json& document);

// Leaves only what concerns one of these peers, or the node; none given: everything.
nlohmann::json select_findings(nlohmann::json document, const std::vector<std::string>& peers);
std::string render_doctor(const nlohmann::json& document, const RenderStyle& style);
// 1: packets are lost or leak; 3: none found, but not everything could be checked; else 0. A risk
// alone is 0.
int doctor_exit(const nlohmann::json& document);

std::string render_explain(const nlohmann::json& document, const RenderStyle& style);
// 0: leaves encrypted; 1: held, clear or dropped; 3: unknown.
int explain_exit(const nlohmann::json& document);

// Of verify_document() (exporter/documents/diagnosis_documents.h); of another shape: what is there.
std::string render_verify(const nlohmann::json& document, const RenderStyle& style);
// 0: every probe was encrypted both ways, and where none crossed FORWARD the rules let it pass;
// 1: a probe was not, or a rule would lose it; 3: something could not be probed or judged.
int verify_exit(const nlohmann::json& document);

}  // namespace espial
