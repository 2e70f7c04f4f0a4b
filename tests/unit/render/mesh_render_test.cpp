// SPDX-License-Identifier: Apache-2.0
// The rendered mesh against its golden files, and `espial mesh render` against folders of all
// kinds. tests/lab/scenarios/render.py gives the same files to the real swanctl and charon.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/commands.h"
#include "cli/mesh_command.h"
#include "cli/text/line_diff.h"
#include "golden.h"
#include "unit/own_folder.h"

namespace espial {
namespace {

Peer node(const std::string& name, std::vector<const char*> underlays,
          std::vector<const char*> backends) {
  Peer peer;
  peer.name = name;
  peer.state = PeerState::kConfigured;
  for (const auto* text : underlays) peer.underlays.push_back({*IpAddress::parse(text), {}});
  for (const auto* text : backends) peer.backends.push_back({*Prefix::parse(text), "net", {}});
  return peer;
}

Topology mesh(int nodes) {
  Topology topology;
  const auto self =
      node("node1", {"10.45.0.11", "fd00:45::11"}, {"fd00:101:1::/64", "10.101.1.0/24"});
  topology.node = self.name;
  topology.self_underlays = self.underlays;
  topology.self_backends = self.backends;
  topology.peers.push_back(node("node2", {"10.45.0.12"}, {"10.101.2.0/24", "fd00:101:2::/64"}));
  if (nodes > 2)
    topology.peers.push_back(node("node3.cluster", {"10.45.0.13", "10.46.0.13", "fe80::1"},
                                  {"10.101.3.0/24", "10.102.3.0/24"}));
  return topology;
}

std::string all_of(MeshAuth auth) {
  const auto rendered = render_mesh(mesh(3), auth);
  if (!rendered.ok()) return rendered.error().message;
  std::string out;
  for (const auto& file : rendered->files)
    out += "==> " + file.name + (file.executable ? " (executable)" : "") + "\n" + file.text + "\n";
  return out;
}

TEST(MeshRender, IsTheGoldenMeshWithSecrets) {
  espial::testing::expect_golden("mesh_psk.txt", all_of(MeshAuth::kPsk));
}
TEST(MeshRender, IsTheGoldenMeshWithCertificates) {
  espial::testing::expect_golden("mesh_cert.txt", all_of(MeshAuth::kCertificate));
}

TEST(MeshRender, EveryFileKnowsWhetherItWasEdited) {
  const auto rendered = render_mesh(mesh(3), MeshAuth::kPsk);
  ASSERT_TRUE(rendered.ok());
  for (const auto& file : rendered->files) {
    EXPECT_EQ(authorship(file.text), Authorship::kOurs) << file.name;
    EXPECT_EQ(authorship(file.text + "\n"), Authorship::kEdited) << file.name;
  }
  EXPECT_EQ(authorship(""), Authorship::kForeign);
  EXPECT_EQ(authorship("connections {\n}\n"), Authorship::kForeign);
}

std::string refusal(const Topology& topology) {
  const auto rendered = render_mesh(topology, MeshAuth::kPsk);
  EXPECT_FALSE(rendered.ok());
  if (rendered.ok()) return {};
  EXPECT_EQ(rendered.error().failure, Failure::kUsage);
  return rendered.error().message;
}

TEST(MeshRender, SaysEverythingThatIsMissing) {
  Topology topology = mesh(2);
  topology.peers.push_back(node("node 4; rm", {}, {}));
  topology.peers.push_back(node("node5", {"fd00:45::15"}, {"10.101.5.0/24"}));
  EXPECT_EQ(refusal(topology),
            "\"node 4; rm\": a node's name is made of letters, digits and . _ - : here (name it in "
            "espial.yaml)\n"
            "\"node 4; rm\": it has no underlay address (give it one in espial.yaml)\n"
            "\"node 4; rm\": it has no backend subnet (give it one in espial.yaml)\n"
            "\"node2\" and \"node5\": no underlay addresses of the same family");
  topology = mesh(2);
  topology.peers.clear();
  EXPECT_EQ(refusal(topology), "the topology has no peers (name them in espial.yaml)");
}

TEST(MeshRender, LeavesCandidatesOut) {
  Topology topology = mesh(3);
  topology.peers[1].state = PeerState::kCandidate;
  const auto rendered = render_mesh(topology, MeshAuth::kPsk);
  ASSERT_TRUE(rendered.ok());
  EXPECT_EQ(rendered->notes,
            std::vector<std::string>{"node3.cluster: left out: known from a route only (make it a "
                                     "peer in espial.yaml)"});
  EXPECT_EQ(rendered->files, render_mesh(mesh(2), MeshAuth::kPsk)->files);
}

TEST(LineDiff, Hunks) {
  EXPECT_EQ(line_diff("a\nb\n", "a\nb\n"), "");
  EXPECT_EQ(line_diff("", "a\n"), "@@ 1 @@\n+a\n");
  EXPECT_EQ(line_diff("a\nb\nc\nd\n", "a\nx\nc\ny\nd\n"), "@@ 2 @@\n-b\n+x\n@@ 4 @@\n+y\n");
  EXPECT_EQ(line_diff("a\nb\nc\n", "c\n"), "@@ 1 @@\n-a\n-b\n");
  EXPECT_EQ(line_diff("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n"),
            "@@ 1 @@\n-a\n-b\n@@ 2 @@\n+b\n@@ 5 @@\n-b\n@@ 6 @@\n+c\n");
}

TEST(LineDiff, TooMuchIsOneHunk) {
  std::string before;
  std::string after;
  for (int i = 0; i < 2000; ++i) {
    before += "a" + std::to_string(i) + "\n";
    after += "b" + std::to_string(i) + "\n";
  }
  const auto diff = line_diff(before, after);
  EXPECT_EQ(std::count(diff.begin(), diff.end(), '\n'), 4001);
}

class MeshCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = test::own_folder();
    options_.out = folder_ + "/out";
    services_.show_topology = [this](const Config&) { return Result<Topology>(topology_); };
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  int run() {
    std::ostringstream out;
    std::ostringstream err;
    Console console{out, err, {}, false, 0, {}};
    const int status = mesh_render_command({}, options_, services_, console);
    out_ = out.str();
    err_ = err.str();
    return status;
  }
  std::string path(const std::string& name) const { return options_.out + "/" + name; }
  std::string read(const std::string& name) const {
    std::ifstream in(path(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }

  std::string folder_;
  Topology topology_ = mesh(2);
  MeshRenderOptions options_;
  Services services_;
  std::string out_;
  std::string err_;
};

TEST_F(MeshCommand, WritesThemOnceAndThenNothing) {
  ASSERT_EQ(run(), kExitGood) << err_;
  EXPECT_EQ(out_,
            "added      opensvc-store.sh\nadded      osvc.espial.conf\nadded      "
            "osvc.strongswan.conf\nadded      psk.sh\nadded      strongswan.conf\nadded      "
            "swanctl.node1.conf\nadded      swanctl.node2.conf\n");
  struct stat info = {};
  ASSERT_EQ(::stat(path("psk.sh").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0755U);
  ASSERT_EQ(::stat(path("strongswan.conf").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0644U);
  const auto inode = info.st_ino;
  ASSERT_EQ(run(), kExitGood);
  EXPECT_EQ(out_.find("added"), std::string::npos);
  EXPECT_EQ(out_.find("changed    "), std::string::npos);
  ::stat(path("strongswan.conf").c_str(), &info);
  EXPECT_EQ(info.st_ino, inode) << "an unchanged file was written again";
}

TEST_F(MeshCommand, AfterANodeWasAddedOnlyWhatItChangesChanges) {
  ASSERT_EQ(run(), kExitGood);
  topology_ = mesh(3);
  ASSERT_EQ(run(), kExitGood) << err_;
  EXPECT_EQ(out_.substr(0, out_.find("\n\n")),
            "changed    opensvc-store.sh\nunchanged  osvc.espial.conf\nunchanged  "
            "osvc.strongswan.conf\nchanged    psk.sh\nunchanged  strongswan.conf\nchanged    "
            "swanctl.node1.conf\nchanged    swanctl.node2.conf\nadded      "
            "swanctl.node3.cluster.conf");
  // The connections of others are untouched: whole lines only come.
  const auto begin = out_.find("--- swanctl.node2.conf");
  ASSERT_NE(begin, std::string::npos);
  const auto diff = out_.substr(begin);
  EXPECT_EQ(diff.find("\n-"), std::string::npos) << diff;
  EXPECT_NE(diff.find("+  node3-cluster {"), std::string::npos) << diff;
  EXPECT_NE(diff.find("+    secret = # @PSK:node2+node3.cluster@"), std::string::npos) << diff;
  EXPECT_EQ(diff.find("checksum"), std::string::npos);
}

TEST_F(MeshCommand, ANodeThatLeftIsToldAndNotRemoved) {
  topology_ = mesh(3);
  ASSERT_EQ(run(), kExitGood);
  topology_ = mesh(2);
  write("notes.txt", "mine\n");
  ASSERT_EQ(run(), kExitGood);
  EXPECT_NE(out_.find("left over  swanctl.node3.cluster.conf\n"), std::string::npos);
  EXPECT_EQ(out_.find("notes.txt"), std::string::npos);
  EXPECT_FALSE(read("swanctl.node3.cluster.conf").empty());
}

TEST_F(MeshCommand, WhatOthersWroteOrEditedStays) {
  ASSERT_EQ(run(), kExitGood);
  const auto before = read("strongswan.conf");
  write("strongswan.conf", "charon {}\n");
  write("swanctl.node2.conf", read("swanctl.node2.conf") + "# mine: \"hunter2\"\n");
  topology_ = mesh(3);
  EXPECT_EQ(run(), kExitUsage);
  EXPECT_EQ(err_, "espial: " + path("strongswan.conf") +
                      ": not written by espial (--force overwrites it)\n" +
                      "espial: " + path("swanctl.node2.conf") +
                      ": edited since espial wrote it (--force overwrites it)\n" +
                      "espial: nothing was written\n");
  EXPECT_FALSE(std::filesystem::exists(path("swanctl.node3.cluster.conf")));
  options_.force = true;
  EXPECT_EQ(run(), kExitGood);
  EXPECT_EQ(read("strongswan.conf"), before);
  // What was edited may be a secret.
  EXPECT_EQ(out_.find("hunter2"), std::string::npos);
}

TEST_F(MeshCommand, AFolderThatCannotBeMade) {
  options_.out = "/proc/none/x";
  EXPECT_EQ(run(), kExitUnable);
  EXPECT_EQ(err_.find("espial: /proc/none/x: make the folder: "), 0U) << err_;
}

}  // namespace
}  // namespace espial
