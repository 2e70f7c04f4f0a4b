// SPDX-License-Identifier: Apache-2.0
// A flow as the programs write it, into the table and into the ring of events, as a record.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "kernel/peers/identities.h"
#include "model/snapshot.h"
#include "wire.h"

namespace espial {

using PeerNames = std::map<std::uint32_t, std::string>;  // by index

PeerNames peer_names(const Identities& identities);

// CLOCK_MONOTONIC as wall-clock time of now; nothing for 0.
std::optional<WallTime> wall_time(std::uint64_t monotonic_ns);

// Nothing when it is none of this build's classes or directions, or an empty slot.
std::optional<FlowRecord> flow_record(const ep_flow& flow, const PeerNames& names);

// The device's name now, or "#7" when there is none with this index.
std::string device_name(std::uint32_t ifindex);

}  // namespace espial
