// SPDX-License-Identifier: Apache-2.0
#include "kernel/objects.h"

#include <array>

namespace espial {
namespace {

constexpr std::array<std::string_view, kMapCount> kMapNames{
    "ep_tables",    "ep_peer_stat", "ep_net_stat",  "ep_node_stat", "ep_flows",
    "ep_limiter",   "ep_events",    "ep_peer_meta", "ep_net_meta",  "ep_policy",
    "ep_peer_base", "ep_net_base",  "ep_node_base", "ep_layout"};
constexpr std::array<std::string_view, kSharedMapCount> kSharedMapNames{"ep_own_drops", "ep_sas",
                                                                        "ep_sa_index"};
constexpr std::array<std::string_view, kProgramCount> kProgramNames{
    "ep_rx_wire",    "ep_rx_both",  "ep_rx_re", "ep_tx", "ep_rx_wire_l3",
    "ep_rx_both_l3", "ep_rx_re_l3", "ep_tx_l3", "ep_xdp"};

}  // namespace

std::string_view map_name(MapId id) { return kMapNames[static_cast<std::size_t>(id)]; }
std::string_view map_name(SharedMap map) { return kSharedMapNames[static_cast<std::size_t>(map)]; }
std::string_view program_name(ProgramId id) { return kProgramNames[static_cast<std::size_t>(id)]; }

}  // namespace espial
