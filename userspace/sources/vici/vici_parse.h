// SPDX-License-Identifier: Apache-2.0
// charon's VICI events (list-conn, list-sa, list-policy; strongSwan 5.9) as CharonFacts.
// Unknown keys are passed over, a missing or odd value leaves its default: versions differ.
#pragma once

#include "model/facts/charon.h"
#include "sources/vici/vici_message.h"

namespace espial {

// Each adds what one event holds; an event may hold several.
void add_vici_connections(const ViciSection& event, CharonFacts& facts);
void add_vici_sas(const ViciSection& event, CharonFacts& facts);
void add_charon_policies(const ViciSection& event, CharonFacts& facts);

}  // namespace espial
