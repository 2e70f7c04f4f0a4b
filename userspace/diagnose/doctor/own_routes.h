// SPDX-License-Identifier: Apache-2.0
// Where would what arrives for this node's own pods go? Pure.
//
// A route to the whole subnet that another device has taken over is found; one to a part of it is
// not, which pods of their own have. Of several devices that hold addresses of the subnet each is
// right.
#pragma once

#include "diagnose/lookup/route_index.h"
#include "model/doctor_report.h"
#include "model/facts/facts.h"
#include "model/topology.h"

namespace espial {

// Adds to report: findings "own_route". Of a subnet that no device holds nothing is said.
void check_own_routes(const Topology& topology, const KernelFacts& facts, const RouteIndex& routes,
                      DoctorReport& report);

}  // namespace espial
