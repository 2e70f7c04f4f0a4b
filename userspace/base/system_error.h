// SPDX-License-Identifier: Apache-2.0
// The message of a system call that failed.
#pragma once

#include <string_view>

#include "base/result.h"

namespace espial {

// "object: operation: cause hint" of an errno; printable whatever the object is. The hint begins
// with a space or is empty: " (run as root)".
Error system_error(std::string_view object, std::string_view operation, int code,
                   std::string_view hint = {});

}  // namespace espial
