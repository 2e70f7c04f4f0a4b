// SPDX-License-Identifier: Apache-2.0
// One flow as JSON: an entry of the flows document, and an event of `flows --follow`.
#pragma once

#include <nlohmann/json.hpp>

#include "model/snapshot.h"

namespace espial {

nlohmann::json flow_document(const FlowRecord& flow);
nlohmann::json drop_document(const DropRecord& drop);

}  // namespace espial
