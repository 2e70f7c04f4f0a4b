// SPDX-License-Identifier: Apache-2.0
// Whether XDP sees the VLAN tags of a device, told by its features (linux/ethtool.h).
#pragma once

#include <string>

namespace espial {

// Why XDP cannot tell the VLANs of a device apart, and what to do; empty when it can. A device that
// takes tags off frames shows those of every VLAN as untagged. The device is looked for in the
// network namespace of the calling thread; one that knows no features takes no tags off.
std::string vlan_tags_hidden(int ifindex);

}  // namespace espial
