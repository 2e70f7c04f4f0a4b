// SPDX-License-Identifier: Apache-2.0
#include "model/explanation.h"

namespace espial {

std::string_view to_string(FlowEnd end) {
  switch (end) {
#define EP_X_(name, word) \
  case FlowEnd::name:     \
    return word;
    EP_FLOW_END_LIST(EP_X_)
#undef EP_X_
  }
  return "";
}

}  // namespace espial
