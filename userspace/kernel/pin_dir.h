// SPDX-License-Identifier: Apache-2.0
// The folder in the BPF file system that holds this instance's maps and links.
//
//   PIN_DIR/maps/NAME    one pin per map
//   PIN_DIR/next/NAME    maps of a start under way, until they are complete
//   PIN_DIR/former-N/    maps of other layouts, as long as programs may count in them; oldest first
//   PIN_DIR/programs/       the loaded programs (kernel/program_pins.h)
//   PIN_DIR/next-programs/  those of a start under way
//   PIN_DIR/links/IFINDEX-rx, IFINDEX-tx    one pin per tcx link
//   PIN_DIR/xdp/IFINDEX                     one pin per XDP link
//   PIN_DIR/sas/                            the SA mirror (kernel/sa_mirror.h)
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
std::string pinned_sas_dir(const std::string& pin_dir);
Status make_sas_dir(const std::string& pin_dir);

// Pins fd at path, in the place of whatever was pinned there.
Status replace_pin(int fd, const std::string& path);

// The maps of a start: begin empties PIN_DIR/next, where they are pinned; swap makes them
// PIN_DIR/maps, and what was there the latest former ones. A swap that was cut short is ended by
// prepare_pin_dir().
std::string next_map_path(const std::string& pin_dir, std::string_view name);
Status begin_pinned_maps(const std::string& pin_dir);
Status swap_pinned_maps(const std::string& pin_dir);

// The programs of a start, likewise; what was PIN_DIR/programs, whatever it is, is removed.
std::string pinned_programs_dir(const std::string& pin_dir);
Status make_programs_dir(const std::string& pin_dir);
std::string next_program_path(const std::string& pin_dir, std::string_view name);
Status begin_pinned_programs(const std::string& pin_dir);
Status swap_pinned_programs(const std::string& pin_dir);

// Folders of former maps, oldest first.
std::vector<std::string> former_map_dirs(const std::string& pin_dir);
Status remove_former_maps(const std::string& pin_dir);

// File names in a folder; empty when it is not there.
std::vector<std::string> list_dir(const std::string& path);

// Removes every pin and folder of the instance. Fine when there are none.
Status remove_pin_dir(const std::string& pin_dir);

}  // namespace espial
