// SPDX-License-Identifier: Apache-2.0
// The folder in the BPF file system that holds this instance's maps and links.
//
//   PIN_DIR/maps/NAME    one pin per map
//   PIN_DIR/links/IFINDEX-rx, IFINDEX-tx    one pin per tcx link
//   PIN_DIR/xdp/IFINDEX                     one pin per XDP link
//
// Folders are 0700, pins 0600, all owned by the user that runs espial.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espial {

// Creates the folders; refuses a path outside of a BPF file system or owned by somebody else.
Status prepare_pin_dir(const std::string& pin_dir);

std::string pinned_map_path(const std::string& pin_dir, std::string_view name);
std::string pinned_links_dir(const std::string& pin_dir);
std::string pinned_xdp_dir(const std::string& pin_dir);

// Pins fd at path, in the place of whatever was pinned there.
Status replace_pin(int fd, const std::string& path);

// File names in a folder; empty when it is not there.
std::vector<std::string> list_dir(const std::string& path);

// Removes every pin and folder of the instance. Fine when there are none.
Status remove_pin_dir(const std::string& pin_dir);

}  // namespace espial
