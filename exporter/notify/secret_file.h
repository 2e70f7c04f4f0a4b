// SPDX-License-Identifier: Apache-2.0
// Files that hold secrets: a password, a private key.
#pragma once

#include <string>

#include "base/private_buffer.h"
#include "base/result.h"

namespace espial {

// Ok: a regular file owned by root or this user, and not readable or writable by others.
Status check_secret_file(const std::string& path);

// Such a file's first line, with a zero byte after it, at most 4096 bytes. Messages never quote it.
Result<PrivateBuffer> read_secret(const std::string& path);

}  // namespace espial
