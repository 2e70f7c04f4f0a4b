// SPDX-License-Identifier: Apache-2.0
// Corpus: VLAN tags, in the bytes and in the metadata.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

void add_vlan(CorpusBuilder& c) {
  const Vlan ours{.id = kOurVid}, claimed{.id = kClaimedVid}, foreign{.id = 300}, priority{.id = 0};
  const OracleVerdict clear4 = v4(CLEARTEXT, 1, OK, 1), clear6 = v6(CLEARTEXT, 1, OK, 2);
  c.receive("vlan/ours_v4", Eth{} / ours / clear_frame(kSide4), clear4);
  c.receive("vlan/ours_v6", Eth{} / ours / clear_frame(kSide6), clear6);
  c.receive("vlan/ours_with_priority",
            Eth{} / Vlan{.id = kOurVid, .priority = 7} / clear_frame(kSide4), clear4);
  c.receive("vlan/ours_8021ad", Eth{} / Vlan{.id = kOurVid, .tpid = 0x88a8} / clear_frame(kSide4),
            clear4);
  c.receive("vlan/ours_arp", Eth{} / ours / Arp{}, v4(FLOODED, 0, NOT_IP));
  c.receive("vlan/priority_tag", Eth{} / Vlan{.id = 0, .priority = 5} / clear_frame(kSide4),
            clear4);
  c.receive("vlan/two_priority_tags", Eth{} / priority / priority / clear_frame(kSide6), clear6);
  c.receive("vlan/priority_then_ours", Eth{} / priority / ours / clear_frame(kSide4), clear4);
  c.receive("vlan/ours_then_priority", Eth{} / ours / priority / clear_frame(kSide4), clear4);
  c.receive("vlan/foreign_v4", Eth{} / foreign / clear_frame(kSide4), v4(OTHER_VLAN));
  c.receive("vlan/foreign_v6", Eth{} / foreign / clear_frame(kSide6), v6(OTHER_VLAN));
  c.receive("vlan/foreign_arp", Eth{.dst = kBroadcastMac} / foreign / Arp{},
            v4(OTHER_VLAN, 0, NOT_IP));
  c.receive("vlan/foreign_esp",
            Eth{} / foreign / Ipv4{.src = kSide4.node2, .dst = kSide4.self} / Esp{} / Payload{64},
            v4(OTHER_VLAN));
  c.receive("vlan/vid_4095", Eth{} / Vlan{.id = 4095} / clear_frame(kSide4), v4(OTHER_VLAN));
  c.receive("vlan/priority_then_foreign", Eth{} / priority / foreign / clear_frame(kSide4),
            v4(OTHER_VLAN));
  c.receive("vlan/claimed", Eth{} / claimed / clear_frame(kSide4), {.counted = false});
  c.receive("vlan/claimed_v6", Eth{} / claimed / clear_frame(kSide6), {.counted = false});
  c.receive("vlan/claimed_then_foreign", Eth{} / claimed / foreign / clear_frame(kSide4),
            {.counted = false});
  c.receive("vlan/qinq_ours_in_foreign",
            Eth{} / Vlan{.id = 300, .tpid = 0x88a8} / ours / clear_frame(kSide4), v4(OTHER_VLAN));
  c.receive("vlan/qinq_foreign_in_ours",
            Eth{} / Vlan{.id = kOurVid, .tpid = 0x88a8} / foreign / clear_frame(kSide4),
            v4(OTHER_VLAN));
  c.receive("vlan/qinq_ours_twice", Eth{} / ours / ours / clear_frame(kSide6), v6(OTHER_VLAN));
  c.receive("vlan/three_tags", Eth{} / foreign / ours / ours / clear_frame(kSide4), v4(OTHER_VLAN));
  c.receive("vlan/three_tags_claimed", Eth{} / claimed / ours / ours / clear_frame(kSide4),
            {.counted = false});
  c.receive("vlan/third_tag_ours", Eth{} / priority / priority / ours / clear_frame(kSide4),
            clear4);
  c.receive("vlan/three_tags_first_ours", Eth{} / ours / priority / priority / clear_frame(kSide4),
            clear4);
  c.receive("vlan/foreign_cut", (Eth{} / foreign / foreign / clear_frame(kSide4)).truncated(19),
            v4(OTHER_VLAN, 0, SHORT_VLAN));
  c.receive("vlan/foreign_nested",
            Eth{} / foreign / ip(kSide4, kSide4.node2, kSide4.self) /
                ip(kSide4, kSide4.node2, kSide4.self) / Gre{} / Ipv4{},
            v4(OTHER_VLAN));
  c.receive("vlan/foreign_bad_ihl", Eth{} / foreign / Ipv4{.ihl = 3}, v4(OTHER_VLAN, 0, BAD_IHL));
  c.receive("vlan/cut_in_tag", (Eth{} / ours / clear_frame(kSide4)).truncated(16),
            v4(MALFORMED, 0, SHORT_VLAN));
  c.receive("vlan/cut_before_tag", (Eth{} / ours / clear_frame(kSide4)).truncated(14),
            v4(MALFORMED, 0, SHORT_VLAN));
  c.receive("vlan/cut_in_second_tag", (Eth{} / ours / foreign / clear_frame(kSide4)).truncated(19),
            v4(MALFORMED, 0, SHORT_VLAN));
  c.receive("vlan/cut_after_tag", (Eth{} / ours / clear_frame(kSide4)).truncated(18),
            v4(MALFORMED, 0, SHORT_IPV4));
  c.receive("vlan/8021ah_is_not_a_tag", Eth{.type = 0x88e7} / Payload{40}, v4(OTHER, 0, NOT_IP));
}

void add_metadata_vlan(CorpusBuilder& c) {
  const OracleVerdict clear4 = v4(CLEARTEXT, 1, OK, 1), clear6 = v6(CLEARTEXT, 1, OK, 2);
  const Vlan ours{.id = kOurVid}, foreign{.id = 300}, priority{.id = 0};
  c.tagged("meta_vlan/ours", kOurVid, Eth{} / clear_frame(kSide4), clear4);
  c.tagged("meta_vlan/ours_v6_with_priority", 0xe000 | kOurVid, Eth{} / clear_frame(kSide6),
           clear6);
  c.tagged("meta_vlan/priority", 0xa000, Eth{} / clear_frame(kSide4), clear4);
  c.tagged("meta_vlan/foreign", 300, Eth{} / clear_frame(kSide4), v4(OTHER_VLAN));
  c.tagged("meta_vlan/claimed", kClaimedVid, Eth{} / clear_frame(kSide4), {.counted = false});
  c.tagged("meta_vlan/ours_then_foreign", kOurVid, Eth{} / foreign / clear_frame(kSide4),
           v4(OTHER_VLAN));
  c.tagged("meta_vlan/ours_then_priority", kOurVid, Eth{} / priority / clear_frame(kSide4), clear4);
  c.tagged("meta_vlan/priority_then_ours", 0xe000, Eth{} / ours / clear_frame(kSide4), clear4);
  c.tagged("meta_vlan/foreign_then_ours", 300, Eth{} / ours / clear_frame(kSide4), v4(OTHER_VLAN));
  c.tagged("meta_vlan/and_two_in_bytes", 300, Eth{} / ours / foreign / clear_frame(kSide4),
           v4(OTHER_VLAN));
  c.tagged("meta_vlan/priority_and_three_in_bytes", 0xe000,
           Eth{} / priority / priority / priority / clear_frame(kSide4), clear4);
  c.tagged("meta_vlan/and_three_in_bytes", 300, Eth{} / ours / ours / ours / clear_frame(kSide4),
           v4(OTHER_VLAN));
  c.tagged("meta_vlan/priority_and_eight_in_bytes", 0xe000,
           Eth{} / times(8, priority) / clear_frame(kSide4), clear4);
  c.tagged("meta_vlan/ours_and_eight_in_bytes", kOurVid,
           Eth{} / times(8, priority) / clear_frame(kSide6), clear6);
  c.tagged("meta_vlan/ours_and_nine_in_bytes", kOurVid,
           Eth{} / times(9, priority) / clear_frame(kSide4), v4(TOO_DEEP, 0, VLAN_DEPTH));
  c.tagged("meta_vlan/foreign_and_nine_in_bytes", 300,
           Eth{} / times(9, priority) / clear_frame(kSide4), v4(OTHER_VLAN, 0, VLAN_DEPTH));
}

// As many tags as are read, and one more: VID 0 is no VLAN, whatever the TPID.
void add_many_tags(CorpusBuilder& c) {
  const Vlan ours{.id = kOurVid}, claimed{.id = kClaimedVid}, foreign{.id = 300};
  const Vlan dot1q{.id = 0}, dot1ad{.id = 0, .priority = 3, .tpid = 0x88a8};
  const auto too_deep = v4(TOO_DEEP, 0, VLAN_DEPTH);
  for (const Side* s : {&kSide4, &kSide6}) {
    const std::string at = std::string("vlan/") + s->tag + "_";
    const Frame clear = clear_frame(*s);
    const auto judged = on(*s, CLEARTEXT, 1, OK, s->subnet2);
    for (const int n : {3, 8, 9}) {
      const std::string count = std::to_string(n);
      const auto expected = n > 8 ? too_deep : judged;
      c.receive(at + count + "_priority_tags", Eth{} / times(n, dot1q) / clear, expected);
      c.receive(at + count + "_priority_tags_8021ad", Eth{} / times(n, dot1ad) / clear, expected);
      const Frame odd = n % 2 == 0 ? Frame() : Frame(dot1ad);
      c.receive(at + count + "_priority_tags_mixed",
                Eth{} / odd / times(n / 2, dot1q / Frame(dot1ad)) / clear, expected);
    }
    c.receive(at + "ours_behind_7", Eth{} / times(7, dot1q) / ours / clear, judged);
    c.receive(at + "ours_before_7", Eth{} / ours / times(7, dot1ad) / clear, judged);
    c.receive(at + "foreign_behind_7", Eth{} / times(7, dot1q) / foreign / clear,
              on(*s, OTHER_VLAN));
    c.receive(at + "claimed_behind_7", Eth{} / times(7, dot1q) / claimed / clear,
              {.counted = false});
    c.receive(at + "esp_behind_8",
              Eth{} / times(8, dot1q) / ip(*s, s->node2, s->self) / Esp{} / Payload{30},
              on(*s, ESP, 1));
    c.receive(at + "foreign_with_a_tunnel_of_too_many_tags",
              Eth{} / foreign / ip(*s, s->node2, s->self) / Gre{} / Eth{} / times(9, dot1q) / clear,
              on(*s, OTHER_VLAN, 0, VLAN_DEPTH));
    c.receive(at + "foreign_with_a_cut_tunnel",
              Eth{} / foreign / ip(*s, s->node2, s->self) / Gre{.protocol = 0x0800} / Payload{9},
              on(*s, OTHER_VLAN, 0, SHORT_TUNNEL));
  }
  const Frame clear = clear_frame(kSide4);
  c.receive("vlan/ours_behind_8", Eth{} / times(8, dot1q) / ours / clear, too_deep);
  c.receive("vlan/ours_before_8", Eth{} / ours / times(8, dot1q) / clear, too_deep);
  c.receive("vlan/foreign_before_8", Eth{} / foreign / times(8, dot1q) / clear,
            v4(OTHER_VLAN, 0, VLAN_DEPTH));
  c.receive("vlan/claimed_before_8", Eth{} / claimed / times(8, dot1q) / clear, {.counted = false});
  c.receive("vlan/ninth_tag_cut", (Eth{} / times(9, dot1q) / clear).truncated(14 + 32), too_deep);
  c.receive("vlan/eighth_tag_cut", (Eth{} / times(8, dot1q) / clear).truncated(14 + 31),
            v4(MALFORMED, 0, SHORT_VLAN));
  c.transmit("vlan/nine_out", Eth{} / times(9, dot1q) / clear, too_deep);
}

}  // namespace

void add_tag_cases(CorpusBuilder& c) {
  add_vlan(c);
  add_many_tags(c);
  add_metadata_vlan(c);
}

}  // namespace espial::frames
