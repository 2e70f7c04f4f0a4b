// SPDX-License-Identifier: Apache-2.0
// Writes the seeds of the fuzz targets: FOLDER/frame_fuzz (the corpus, one frame per file),
// FOLDER/capture_fuzz (small captures of every format and link type), FOLDER/cluster_conf_fuzz and
// FOLDER/netlink_fuzz (datagrams of two messages each).
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "frames/capture_file.h"
#include "frames/corpus.h"
#include "unit/netlink_message.h"

using namespace espial;
using frames::Bytes;
using frames::CaptureFile;

namespace {

bool write_file(const std::string& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary);
  for (const std::uint8_t b : bytes) out.put(static_cast<char>(b));
  if (out.flush()) return true;
  std::cerr << path << ": write failed\n";
  return false;
}

// Circumstances and VLAN metadata first, as frame_fuzz reads them.
Bytes frame_seed(const frames::FrameCase& c) {
  const int circumstances = (c.frame.link() == frames::LinkKind::kRaw ? 1 : 0) |
                            (c.direction == Direction::TRANSMIT ? 2 : 0) | (c.metadata_tci ? 4 : 0);
  const unsigned tci = c.metadata_tci.value_or(0);
  Bytes seed = {static_cast<std::uint8_t>(circumstances), static_cast<std::uint8_t>(tci >> 8),
                static_cast<std::uint8_t>(tci & 0xff)};
  const Bytes frame = c.frame.bytes();
  seed.insert(seed.end(), frame.begin(), frame.end());
  return seed;
}

bool write_captures(const std::string& folder) {
  int number = 0;
  for (const auto format : {CaptureFile::Format::kPcap, CaptureFile::Format::kPcapSwapped,
                            CaptureFile::Format::kPcapNano, CaptureFile::Format::kPcapng}) {
    for (const std::uint32_t link : {0U, 1U, 101U, 113U, 276U}) {
      CaptureFile file(format, link);
      file.add(Bytes(40, 0x08));
      file.add(Bytes(60, 0x45), 30);
      if (!write_file(folder + "/" + std::to_string(number++), file.bytes())) return false;
    }
  }
  return true;
}

bool write_cluster_confs(const std::string& folder) {
  const std::string texts[] = {
      "[cluster]\nsecret = x\nnodes = n1 n2 n3\n[network#b]\ntype = routed_bridge\n"
      "network = 10.101.0.0/16\nips_per_node = 256\nsubnet@n1 = 10.101.0.0/24\n"
      "addr@nodes = {nodename}.{env.z}\n[env]\nz = {clustername}\n",
      "[cluster]\nnodes: n1 \\\n n2\n[network#b6]\ntype: routed_bridge\nnetwork: fd00:101::/32\n"
      "mask_per_node: 64\ntunnel: always\n"};
  int number = 0;
  for (const auto& text : texts)
    if (!write_file(folder + "/" + std::to_string(number++), Bytes(text.begin(), text.end())))
      return false;
  return true;
}

std::vector<Bytes> xfrm_messages() {
  using test::message;
  xfrm_usersa_info state{};
  state.family = state.sel.family = AF_INET;
  state.id.proto = 50;
  state.id.spi = 0x01020304;
  state.mode = XFRM_MODE_TUNNEL;
  xfrm_user_offload offload{};
  offload.flags = 4;
  Bytes aead(sizeof(xfrm_algo_aead) + 20, 1);  // a name in its field, then lengths and the key
  const std::string name("rfc4106(gcm(aes))\0", 18);
  std::copy(name.begin(), name.end(), aead.begin());
  xfrm_userpolicy_info policy{};
  policy.sel.family = AF_INET6;
  policy.sel.prefixlen_s = policy.sel.prefixlen_d = 64;
  policy.dir = XFRM_POLICY_OUT;
  xfrm_user_tmpl tmpl{};
  tmpl.family = AF_INET;
  tmpl.id.proto = 50;
  tmpl.mode = XFRM_MODE_TUNNEL;
  return {message(XFRM_MSG_NEWSA, state,
                  test::Attributes()
                      .raw(XFRMA_ALG_AEAD, aead.data(), aead.size())
                      .value(XFRMA_OFFLOAD_DEV, offload)
                      .value(XFRMA_ENCAP, xfrm_encap_tmpl{2, 0, 0, {}})
                      .value(XFRMA_REPLAY_ESN_VAL, xfrm_replay_state_esn{1, 2, 3, 0, 0, 32})
                      .value(33 /* XFRMA_SA_PCPU, 6.13 */, std::uint32_t{7})),
          message(XFRM_MSG_NEWPOLICY, policy,
                  test::Attributes().value(XFRMA_TMPL, tmpl).value(XFRMA_IF_ID, std::uint32_t{1})),
          message(XFRM_MSG_GETDEFAULT, xfrm_userpolicy_default{2, 1, 1})};
}

std::vector<Bytes> route_messages() {
  using test::Attributes;
  using test::message;
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_dst_len = 24;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_type = RTN_UNICAST;
  ifaddrmsg address{};
  address.ifa_family = AF_INET;
  address.ifa_prefixlen = 24;
  ndmsg entry{};
  entry.ndm_family = AF_BRIDGE;
  entry.ndm_state = NUD_REACHABLE;
  fib_rule_hdr rule{};
  rule.family = AF_INET;
  rule.action = FR_ACT_TO_TBL;
  const std::uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
  Attributes vlan;
  vlan.text(IFLA_INFO_KIND, "vlan")
      .nested(IFLA_INFO_DATA, Attributes().value(IFLA_VLAN_ID, std::uint16_t{7}));
  const rtnexthop hop{sizeof hop, 0, 0, 2};
  return {message(RTM_NEWLINK, ifinfomsg{},
                  Attributes().text(IFLA_IFNAME, "eth0").nested(IFLA_LINKINFO, vlan)),
          message(RTM_NEWADDR, address, Attributes().address(IFA_LOCAL, "10.45.0.11")),
          message(RTM_NEWROUTE, route,
                  Attributes()
                      .address(RTA_DST, "10.101.2.0")
                      .value(RTA_MULTIPATH, hop)
                      .nested(RTA_METRICS, Attributes().value(RTAX_MTU, std::uint32_t{1400}))),
          message(RTM_NEWRULE, rule, Attributes().value(FRA_TABLE, std::uint32_t{220})),
          message(RTM_NEWNEIGH, entry, Attributes().raw(NDA_LLADDR, mac, 6).value(NDA_MASTER, 3))};
}

// Each message alone and with itself, as a dump has many.
bool write_netlink(const std::string& folder) {
  int number = 0;
  for (const auto& all : {xfrm_messages(), route_messages()})
    for (const auto& one : all) {
      Bytes twice = one;
      twice.insert(twice.end(), one.begin(), one.end());
      for (const auto& bytes : {one, twice})
        if (!write_file(folder + "/" + std::to_string(number++), bytes)) return false;
    }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz_seeds FOLDER\n";
    return 2;
  }
  const std::string folder = argv[1];
  for (const char* target :
       {"/frame_fuzz", "/capture_fuzz", "/cluster_conf_fuzz", "/netlink_fuzz"}) {
    std::error_code error;
    std::filesystem::create_directories(folder + target, error);
    if (error) {
      std::cerr << folder << target << ": " << error.message() << "\n";
      return 3;
    }
  }
  for (const auto& c : frames::corpus()) {
    std::string name = c.name;
    std::replace(name.begin(), name.end(), '/', '-');
    if (!write_file(folder + "/frame_fuzz/" + name, frame_seed(c))) return 3;
  }
  if (!write_cluster_confs(folder + "/cluster_conf_fuzz")) return 3;
  if (!write_netlink(folder + "/netlink_fuzz")) return 3;
  return write_captures(folder + "/capture_fuzz") ? 0 : 3;
}
