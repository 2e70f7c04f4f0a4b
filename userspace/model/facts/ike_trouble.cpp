// SPDX-License-Identifier: Apache-2.0
#include "model/facts/ike_trouble.h"

namespace espial {

std::string_view to_string(IkeTroubleKind kind) {
  switch (kind) {
#define ESPIAL_X(name, text) \
  case IkeTroubleKind::name: \
    return text;
    ESPIAL_IKE_TROUBLES(ESPIAL_X)
#undef ESPIAL_X
  }
  return {};
}

std::optional<IkeTroubleKind> parse_ike_trouble(std::string_view text) {
#define ESPIAL_X(name, word) \
  if (text == (word)) return IkeTroubleKind::name;
  ESPIAL_IKE_TROUBLES(ESPIAL_X)
#undef ESPIAL_X
  return std::nullopt;
}

}  // namespace espial
