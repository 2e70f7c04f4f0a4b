// SPDX-License-Identifier: Apache-2.0
// Files that are believed because of who may write them.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace espial {

enum class Trust : unsigned char {
  kNone,    // a regular file of anybody
  kOwners,  // the file and its folder belong to root or this user, and nobody else may write them
};

// The whole file, at most 64 MiB; nothing when there is none. Never waits (a fifo), never follows a
// link in the last place. Error: it cannot be read, is no regular file, or is not to be believed.
Result<std::optional<std::string>> read_file(const std::string& path, Trust trust);

}  // namespace espial
