// SPDX-License-Identifier: Apache-2.0
// Whether a YAML text holds more than one document.
#pragma once

#include <optional>
#include <string>

namespace espial {

// The line (from 1) where a second document starts; a stray character like "," between documents
// counts as one. Throws YAML::Exception on text that is no YAML. YAML::LoadAll() must not be used
// for this: yaml-cpp 0.7 returns endless empty documents for a text that begins with ",".
std::optional<int> second_document_line(const std::string& text);

}  // namespace espial
