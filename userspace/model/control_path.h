// SPDX-License-Identifier: Apache-2.0
// Where an instance's control socket is.
#pragma once

#include <string>
#include <string_view>

namespace espial {

inline constexpr std::string_view kControlSocket = "/control.sock";  // below state_dir

inline std::string control_socket_path(std::string_view state_dir) {
  return std::string(state_dir).append(kControlSocket);
}

}  // namespace espial
