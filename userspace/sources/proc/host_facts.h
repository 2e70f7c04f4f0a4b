// SPDX-License-Identifier: Apache-2.0
// Reads HostFacts: /proc/net/udp and udp6 of the calling thread's network namespace, /sys/module,
// /proc/kallsyms, and the list of the running kernel's modules. Reads only; any thread.
#pragma once

#include <cstdint>
#include <istream>

#include "model/facts/host.h"

namespace espial {

HostFacts read_host();

// Does a line of /proc/net/udp or udp6 have this local port? Malformed lines are left out. For
// tests.
bool has_udp_port(std::istream& sockets, std::uint16_t port);
// Does a line of /proc/kallsyms name a function of ESP over IPv4 (net/ipv4/esp4.c)? For tests.
bool has_esp_symbol(std::istream& symbols);

}  // namespace espial
