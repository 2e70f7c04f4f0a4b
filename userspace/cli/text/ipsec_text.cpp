// SPDX-License-Identifier: Apache-2.0
#include "cli/text/ipsec_text.h"

#include "cli/text/wording.h"

namespace espial {

TextTable unprovable_table(const nlohmann::json& status) {
  TextTable table({{"PEER"}, {"ENCRYPTION THAT ESPIAL CANNOT PROVE"}});
  for (const auto& peer : field(status, "peers")) {
    const auto& ipsec = field(peer, "ipsec");
    if (!ipsec.is_object()) continue;
    const auto offloaded = count_field(field(ipsec, "sas"), "packet_offload");
    if (offloaded > 0)
      table.add({{text_field(peer, "name")},
                 {grouped(offloaded) + (offloaded == 1 ? " SA" : " SAs") +
                      " in packet offload: the device encrypts after XDP and tc have seen the "
                      "packets in clear",
                  Colour::kYellow}});
    if (text_field(ipsec, "verdict") == "user_space")
      table.add({{text_field(peer, "name")},
                 {"user-space IPsec (kernel-libipsec): the kernel has no policies or SAs to check",
                  Colour::kYellow}});
  }
  return table;
}

}  // namespace espial
