// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

namespace espial {

std::string_view to_string(XdpChoice choice) {
  switch (choice) {
    case XdpChoice::kOff:
      return "off";
    case XdpChoice::kAuto:
      return "auto";
    case XdpChoice::kRequire:
      return "require";
  }
  return "?";
}

}  // namespace espial
