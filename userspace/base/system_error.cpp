// SPDX-License-Identifier: Apache-2.0
#include "base/system_error.h"

#include <cstring>
#include <string>

#include "base/printable.h"

namespace espial {

Error system_error(std::string_view object, std::string_view operation, int code,
                   std::string_view hint) {
  std::string message = printable(object);
  message.append(": ").append(operation).append(": ").append(std::strerror(code)).append(hint);
  return Error{std::move(message)};
}

}  // namespace espial
