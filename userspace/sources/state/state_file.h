// SPDX-License-Identifier: Apache-2.0
// The files of the state folder: read whole, replaced atomically (write, fsync, rename), mode 0600.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace espial {

// The whole file; nothing when there is none.
Result<std::optional<std::string>> read_state_file(const std::string& path);

// Makes the folder (0700) if it is missing. On an error the old file is unchanged.
Status write_state_file(const std::string& folder, const std::string& path, std::string_view text);

// Replaces one file of an existing folder, whatever the folder is for.
Status replace_file(const std::string& folder, const std::string& path, std::string_view text,
                    mode_t mode = 0600);

// Renames a file that cannot be used to PATH.corrupt, so that the next read finds none and the next
// write works; `error` with what became of the file.
Error keep_aside(const std::string& path, Error error);

}  // namespace espial
