// SPDX-License-Identifier: Apache-2.0
// `espial classify` from capture file to report, with the host's engine.
#include "classify/classify.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "classify/classify_tally.h"
#include "frames/capture_file.h"
#include "frames/corpus.h"

namespace espial {
namespace {

using frames::Bytes;
using frames::CaptureFile;
using frames::kSide4;
using frames::kSide6;
using nlohmann::json;

Config mesh() {
  Config config;
  config.self_underlays = {*IpAddress::parse("10.45.0.11"), *IpAddress::parse("fd00:45::11")};
  config.self_backends = {*Prefix::parse("10.101.1.0/24"), *Prefix::parse("fd00:101:1::/64")};
  config.networks = {
      {"backend", {*Prefix::parse("10.101.0.0/16"), *Prefix::parse("fd00:101::/32")}}};
  ConfigPeer node2, node3;
  node2.name = "node2";
  node2.underlays = {*IpAddress::parse("10.45.0.12"), *IpAddress::parse("fd00:45::12")};
  node2.backends = {*Prefix::parse("10.101.2.0/24"), *Prefix::parse("fd00:101:2::/64")};
  node3.name = "node3";
  node3.underlays = {*IpAddress::parse("10.45.0.13")};
  node3.backends = {*Prefix::parse("10.101.3.0/24")};
  config.peers = {node2, node3};
  return config;
}

struct Answer {
  int status = -1;
  std::string out;
  Error error;
  [[nodiscard]] json document() const { return json::parse(out); }
};

class ClassifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "espial_classify_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    arguments_.engine = "host";
    arguments_.json = true;
    arguments_.config = mesh();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const Bytes& bytes) {
    const auto path = folder_ / name;
    std::ofstream out(path, std::ios::binary);
    for (const std::uint8_t b : bytes) out.put(static_cast<char>(b));
    arguments_.captures.push_back(path.string());
  }
  void capture(const std::vector<frames::Frame>& list) {
    CaptureFile file(CaptureFile::Format::kPcap, 1);
    for (const auto& frame : list) file.add(frame.bytes());
    write("a.pcap", file.bytes());
  }
  Answer run() {
    std::ostringstream out, err;
    Console console{out, err, {}, false, 0, {}};
    auto status = classify_command(arguments_, console);
    if (!status.ok()) return {-1, out.str(), status.error()};
    return {*status, out.str(), {}};
  }

  std::filesystem::path folder_;
  ClassifyArguments arguments_;
};

const frames::Frame kEspIn =
    frames::Eth{} / ip(kSide4, kSide4.node2, kSide4.self) / frames::Esp{} / frames::Payload{64};
const frames::Frame kEspOut =
    frames::Eth{} / ip(kSide6, kSide6.self, kSide6.node2) / frames::Esp{} / frames::Payload{64};
const frames::Frame kClearIn =
    frames::Eth{} / ip(kSide4, kSide4.pod2, kSide4.self_pod) / frames::Udp{};
const frames::Frame kClearOut =
    frames::Eth{} / ip(kSide4, kSide4.self_pod, kSide4.pod3) / frames::Udp{};
const frames::Frame kIke =
    frames::Eth{} / ip(kSide4, kSide4.node2, kSide4.self) / frames::Udp{.dport = 500};

TEST_F(ClassifyTest, HealthyMeshOnTheWire) {
  capture({kEspIn, kEspIn, kEspOut, kIke});
  arguments_.captured_on_wire = true;
  const auto answer = run();
  EXPECT_EQ(answer.status, 0);
  const auto document = answer.document();
  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["engine"], "host");
  EXPECT_EQ(document["captured_on"], "wire");
  EXPECT_EQ(document["direction"], "auto");
  EXPECT_EQ(document["packets"], 4);
  EXPECT_EQ(document["by_class"]["esp"], 3);
  EXPECT_EQ(document["by_class"]["ike"], 1);
  EXPECT_EQ(document["by_class"]["cleartext"], 0);
  EXPECT_EQ(document["by_peer"], (json{{"node2", {{"esp", 3}, {"ike", 1}}}}));
  EXPECT_EQ(document["by_parse_outcome"]["ok"], 4);
  EXPECT_EQ(document["truncated_by_capture"], 0);
  EXPECT_EQ(document["files"].size(), 1U);
}

TEST_F(ClassifyTest, InboundCleartextIsProofOnTheWireOnly) {
  capture({kClearIn, kEspIn});
  auto answer = run();
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.document()["by_class"]["cleartext_or_decrypted"], 1);
  EXPECT_EQ(answer.document()["by_class"]["cleartext"], 0);
  EXPECT_EQ(answer.document()["by_peer"]["node2"]["cleartext_or_decrypted"], 1);
  arguments_.captured_on_wire = true;
  answer = run();
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.document()["by_class"]["cleartext"], 1);
  EXPECT_EQ(answer.document()["by_class"]["cleartext_or_decrypted"], 0);
}

TEST_F(ClassifyTest, OutboundCleartextIsProofAnywhere) {
  capture({kClearOut});
  const auto answer = run();
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.document()["by_peer"]["node3"]["cleartext"], 1);
}

TEST_F(ClassifyTest, EveryInboundInnerClassMayBeDecrypted) {
  capture({kClearIn, frames::Eth{} / ip(kSide4, kSide4.node2, kSide4.self_pod) / frames::Tcp{},
           frames::Eth{} / ip(kSide4, kSide4.node2, kSide4.self) /
               ip(kSide4, kSide4.pod2, kSide4.self_pod) / frames::Udp{}});
  const auto answer = run();
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.document()["by_class"]["cleartext_or_decrypted"], 3);
}

TEST_F(ClassifyTest, DirectionOfEveryPacketWhenGiven) {
  capture({kClearIn, kClearOut});
  arguments_.direction = Direction::TRANSMIT;
  auto document = run().document();
  EXPECT_EQ(document["direction"], "transmit");
  EXPECT_EQ(document["by_class"]["cleartext"], 1);
  EXPECT_EQ(document["by_class"]["cleartext_resent"], 1);
  arguments_.direction = Direction::RECEIVE;
  document = run().document();
  EXPECT_EQ(document["direction"], "receive");
  EXPECT_EQ(document["by_class"]["cleartext_or_decrypted"], 1);
  EXPECT_EQ(document["by_class"]["cleartext_spoofed"], 1);
}

TEST_F(ClassifyTest, WithoutATopologyTellsWhatNeedsNone) {
  capture({kEspIn, kIke, kClearIn, frames::Eth{} / frames::Arp{}, kEspIn.truncated(40)});
  arguments_.config.reset();
  const auto answer = run();
  EXPECT_EQ(answer.status, 0);
  const auto document = answer.document();
  EXPECT_EQ(document["by_class"]["esp"], 1);
  EXPECT_EQ(document["by_class"]["ike"], 1);
  EXPECT_EQ(document["by_class"]["other"], 1);
  EXPECT_EQ(document["by_class"]["flooded"], 1);
  EXPECT_EQ(document["by_class"]["malformed"], 1);
  EXPECT_EQ(document["by_parse_outcome"]["bad_length"], 1);
  EXPECT_EQ(document["by_peer"], json::object());
}

TEST_F(ClassifyTest, FramesCutByTheSnapshotLength) {
  CaptureFile file(CaptureFile::Format::kPcapng, 1);
  file.add(kEspIn.bytes(), 60);
  file.add(kEspIn.bytes());
  write("cut.pcapng", file.bytes());
  const auto document = run().document();
  EXPECT_EQ(document["truncated_by_capture"], 1);
  EXPECT_EQ(document["by_class"]["esp"], 2);
}

TEST_F(ClassifyTest, SeveralFilesAddUp) {
  capture({kEspIn});
  CaptureFile raw(CaptureFile::Format::kPcap, 101);
  raw.add((ip(kSide4, kSide4.node2, kSide4.self) / frames::Esp{}).bytes());
  write("raw.pcap", raw.bytes());
  const auto document = run().document();
  EXPECT_EQ(document["packets"], 2);
  EXPECT_EQ(document["by_class"]["esp"], 2);
  EXPECT_EQ(document["files"].size(), 2U);
}

TEST_F(ClassifyTest, TableForPeople) {
  capture({kEspIn, kEspIn, kClearOut, kClearIn, frames::Eth{} / frames::Arp{}});
  arguments_.json = false;
  const auto answer = run();
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(
      answer.out,
      "5 frames, engine host, captured on host, direction auto\n"
      "\n"
      "CLASS                   PEER   FRAMES\n"
      "esp                     node2       2\n"
      "cleartext               node3       1\n"
      "flooded                 -           1\n"
      "cleartext_or_decrypted  node2       1\n"
      "\n"
      "parse outcome not_ip: 1\n"
      "1 inbound frames may have been decrypted on this host; capture on the wire to find out "
      "(--captured-on wire)\n");
}

TEST_F(ClassifyTest, EmptyCapture) {
  capture({});
  const auto answer = run();
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.document()["packets"], 0);
}

TEST_F(ClassifyTest, DamagedFileIsReportedAsFarAsItGoes) {
  CaptureFile file(CaptureFile::Format::kPcap, 1);
  file.add(kEspIn.bytes());
  file.add(kEspIn.bytes());
  Bytes bytes = file.bytes();
  bytes.resize(bytes.size() - 1);
  write("cut.pcap", bytes);
  const auto answer = run();
  EXPECT_EQ(answer.status, -1);
  EXPECT_EQ(answer.error.failure, Failure::kUsage);
  EXPECT_EQ(answer.document()["packets"], 1);
}

TEST_F(ClassifyTest, MissingFileAndNoCapture) {
  arguments_.captures = {(folder_ / "none.pcap").string()};
  auto answer = run();
  EXPECT_EQ(answer.error.failure, Failure::kUnable);
  EXPECT_NE(answer.error.message.find("none.pcap: open: No such file"), std::string::npos);
  EXPECT_EQ(answer.out, "");
  arguments_.captures.clear();
  write("text", Bytes(200, 'x'));
  EXPECT_EQ(run().error.failure, Failure::kUsage);
}

TEST(ClassifyTally, ClassesDecideWhetherTheAnswerIsBad) {
  for (std::size_t i = 0; i < kClasses; ++i) {
    ClassifyTally tally;
    const auto klass = static_cast<Class>(i);
    tally.add({.klass = klass}, Direction::TRANSMIT, CapturedOn::kHost);
    EXPECT_EQ(tally.unprotected(), coverage_of(klass) == Coverage::UNPROTECTED) << to_string(klass);
  }
}

}  // namespace
}  // namespace espial
