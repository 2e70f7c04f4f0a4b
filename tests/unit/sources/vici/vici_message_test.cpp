// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "sources/vici/vici_message.h"
#include "sources/vici/vici_parse.h"

namespace espial {
namespace {

using namespace std::string_literals;

// The encoding example of the protocol's README.
const std::string kExample =
    "\x03\x04key1\0\x06value1"
    "\x01\x08section1"
    "\x01\x0bsub-section\x03\x04key2\0\x06value2\x02"
    "\x04\x05list1\x05\0\x05item1\x05\0\x05item2\x06"
    "\x02"s;

ViciSection example() {
  ViciSection sub{{{"key2", "value2"}}, {}, {}};
  ViciSection section{{}, {{"list1", {"item1", "item2"}}}, {{"sub-section", sub}}};
  return {{{"key1", "value1"}}, {}, {{"section1", section}}};
}

TEST(ViciMessage, DecodesTheSpecificationsExample) {
  const auto message = decode_vici(kExample);
  ASSERT_TRUE(message.ok()) << message.error().message;
  EXPECT_EQ(*message, example());
  EXPECT_EQ(message->value("key1"), "value1");
  EXPECT_EQ(message->section("section1").list("list1").size(), 2U);
  EXPECT_EQ(message->section("section1").section("none").value("x"), "");
}

TEST(ViciMessage, WhatIsEncodedIsDecoded) {
  const auto again = decode_vici(encode_vici(example()));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, example());
}

TEST(ViciMessage, IsRefusedWhereverItIsCut) {
  // After key1 and its value the rest may be missing; everywhere else something is left open.
  for (std::size_t length = 1; length < kExample.size(); ++length) {
    const bool whole = length == 14;
    EXPECT_EQ(decode_vici(std::string_view(kExample).substr(0, length)).ok(), whole) << length;
  }
}

std::string problem(const std::string& bytes) {
  const auto message = decode_vici(bytes);
  return message.ok() ? "none" : message.error().message;
}

TEST(ViciMessage, SaysWhatIsWrong) {
  EXPECT_EQ(problem("\x02"), "VICI message: a section ends that did not begin");
  EXPECT_EQ(problem("\x05\0\0"s), "VICI message: an item outside a list");
  EXPECT_EQ(problem("\x06"), "VICI message: an item outside a list");
  EXPECT_EQ(problem("\x04\x01l\x04\x01m"), "VICI message: a list holds something else than items");
  EXPECT_EQ(problem("\x04\x01l"), "VICI message: a list is not closed");
  // By less than the length field itself takes.
  EXPECT_EQ(problem("\x03\x01k\0\x04val"s), "VICI message: it ends inside an element");
  EXPECT_EQ(problem("\x01\x01s"), "VICI message: a section is not closed");
  EXPECT_EQ(problem("\x03\x05ke"), "VICI message: it ends inside an element");
  EXPECT_EQ(problem("\x09"), "VICI message: element type 9 is unknown");
  EXPECT_EQ(problem(std::string(kMaxViciPacket + 1, '\x02')), "VICI message: larger than 512 KiB");
}

TEST(ViciMessage, DepthAndCountAreBounded) {
  std::string deep;
  for (std::size_t i = 0; i < kMaxViciDepth; ++i) deep += "\x01\x01s"s;
  EXPECT_EQ(problem(deep + std::string(kMaxViciDepth, '\x02')), "none");
  EXPECT_EQ(problem(deep + "\x01\x01s"s), "VICI message: more than 16 sections deep");
  std::string many = "\x04\x01l";
  for (std::size_t i = 0; i < kMaxViciElements; ++i) many += "\x05\0\0"s;
  EXPECT_EQ(problem(many), "VICI message: more than 65536 elements");
}

TEST(ViciPacket, NamesAndTypes) {
  const auto bytes = vici_packet(ViciPacketType::kRequest, "version", {});
  EXPECT_EQ(bytes, "\0\0\0\x09\0\x07version"s);
  const auto event = "\x07\x02hi\x03\x01k\0\x01v"s;
  const auto packet = parse_vici_packet(event);
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->type, ViciPacketType::kEvent);
  EXPECT_EQ(packet->name, "hi");
  EXPECT_EQ(packet->message.size(), 6U);
  EXPECT_FALSE(parse_vici_packet("").ok());
  EXPECT_FALSE(parse_vici_packet("\x08").ok());
  EXPECT_FALSE(parse_vici_packet("\x07\x03hi").ok());
}

TEST(ViciParse, OddValuesLeaveTheirDefaults) {
  ViciSection sa{{{"state", "INSTALLED"},
                  {"spi-in", "c0ffee"},
                  {"spi-out", "zz"},
                  {"packets-in", "99999999999999999999"},
                  {"rekey-time", "-3"},
                  {"encr-alg", "AES_GCM_16"},
                  {"encr-keysize", "256"},
                  {"new", "key"}},
                 {{"local-ts", {"10.101.1.0/24[tcp/80]", "10.0.0.1..10.0.0.9", "dynamic"}}},
                 {}};
  ViciSection ike{{{"state", "ESTABLISHED"}}, {}, {{"child-sas", {{}, {}, {{"c-7", sa}}}}}};
  CharonFacts facts;
  add_vici_sas({{}, {}, {{"node2", ike}}}, facts);
  ASSERT_EQ(facts.ike_sas.size(), 1U);
  const auto& child = facts.ike_sas[0].children.at(0);
  EXPECT_EQ(child.name, "c-7");
  EXPECT_EQ(child.spi_in, 0xc0ffeeU);
  EXPECT_EQ(child.spi_out, 0U);
  EXPECT_EQ(child.packets_in, 0U);
  EXPECT_EQ(child.rekey_seconds, -3);
  EXPECT_EQ(child.life_seconds, std::nullopt);
  EXPECT_EQ(child.encryption, "AES_GCM_16-256");
  EXPECT_EQ(child.local.at(0).prefix, Prefix::parse("10.101.1.0/24"));
  EXPECT_TRUE(child.local.at(0).partial);
  EXPECT_EQ(child.local.at(1).prefix, std::nullopt);
  EXPECT_EQ(child.local.at(2).prefix, std::nullopt);
}

}  // namespace
}  // namespace espial
