// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/status_document.h"

#include <string>

#include "base/time_text.h"
#include "exporter/documents/json_values.h"

namespace espial {

using nlohmann::json;

json drop_document(const DropRecord& drop) {
  return {{"first", rfc3339(drop.first)},
          {"last", rfc3339(drop.last)},
          {"direction", text_of(to_string(drop.direction))},
          {"peer", drop.peer},
          {"device", drop.device},
          {"source", drop.source.text()},
          {"source_port", drop.source_port},
          {"destination", drop.destination.text()},
          {"destination_port", drop.destination_port},
          {"protocol", drop.protocol},
          {"packets", drop.packets},
          {"reason", drop.reason},
          {"hook", drop.hook ? json(text_of(to_string(*drop.hook))) : json(nullptr)}};
}

json flow_document(const FlowRecord& flow) {
  return {{"first", rfc3339(flow.first)},
          {"last", rfc3339(flow.last)},
          {"direction", text_of(to_string(flow.direction))},
          {"class", text_of(to_string(flow.klass))},
          {"peer", flow.peer},
          {"device", flow.device},
          {"source", flow.source.text()},
          {"source_port", flow.source_port},
          {"destination", flow.destination.text()},
          {"destination_port", flow.destination_port},
          {"protocol", flow.protocol},
          {"packets", flow.packets},
          {"bytes", flow.bytes},
          {"dropped_packets", flow.enforced[at(Action::kDrop)]},
          {"would_drop_packets", flow.enforced[at(Action::kWouldDrop)]}};
}

}  // namespace espial
