// SPDX-License-Identifier: Apache-2.0
// The XDP accelerator on a real device: drops before tc, leaves others' programs alone, outlives
// its loader. In a network namespace and a BPF file system of its own.
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "kernel/attach/attachments.h"
#include "kernel/attach/xdp_attachments.h"
#include "kernel/counters/counters.h"
#include "kernel/peers/mode_map.h"
#include "netns/vlan_offload.h"

namespace espial {
namespace {

constexpr const char* kPins = "/sys/fs/bpf/espial-xdp-test";

class Xdp : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(unshare(CLONE_NEWNET | CLONE_NEWNS), 0) << "needs root";
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr), 0);
    ASSERT_EQ(std::system("ip link add far type veth peer name near && ip link set far up && "
                          "ip link set near up"),
              0);
    ASSERT_TRUE(show_vlan_tags("near"));
    near_ = static_cast<int>(if_nametoindex("near"));
  }
  void TearDown() override {
    (void)std::system("ip link del far");
    (void)remove_all();
  }
  static bool remove_all() { return detach_all(kPins, "/nonexistent").ok(); }

  static Programs load() {
    ProgramLimits limits;
    limits.max_peers = 16;
    limits.max_subnets = 64;
    limits.xdp = true;
    auto programs = Programs::load(kPins, limits);
    EXPECT_TRUE(programs.ok()) << programs.error().message;
    TableSpec spec;
    const auto prefix = [](const char* text) { return Prefix::parse(text).value(); };
    spec.entries = {{prefix("10.101.1.0/24"), EP_ROLE_SELF_BACKEND, 0, 0, true},
                    {prefix("10.101.2.0/24"), EP_ROLE_PEER_BACKEND, 1, 0, true}};
    EXPECT_TRUE(programs->set_table(spec).ok());
    EXPECT_TRUE(write_mode_entry(programs->map_fd(MapId::kPolicy), 1, {Mode::ENFORCE, {}}).ok());
    return std::move(*programs);
  }

  // Sends cleartext from the peer's pod to ours, out of the far end.
  static void send_cleartext(int count) {
    std::array<std::uint8_t, 60> frame{};
    frame.fill(0);
    std::fill_n(frame.begin(), 6, std::uint8_t{0xff});
    frame[12] = 0x08;
    frame[14] = 0x45;
    frame[17] = 46;
    frame[22] = 64;
    frame[23] = 17;
    const std::array<std::uint8_t, 8> ends{10, 101, 2, 10, 10, 101, 1, 10};
    std::copy(ends.begin(), ends.end(), frame.begin() + 26);
    frame[39] = 26;
    const UniqueFd sock(socket(AF_PACKET, SOCK_RAW, 0));
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(if_nametoindex("far"));
    for (int i = 0; i < count; ++i)
      ASSERT_EQ(sendto(sock.get(), frame.data(), frame.size(), 0,
                       reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
                static_cast<ssize_t>(frame.size()));
  }

  static std::uint64_t dropped() {
    CounterReader reader;
    const auto maps = Maps::open_pinned(kPins);
    if (!maps.ok()) return 0;
    return reader.peer(*maps, 1)
        .value()
        .enforced[at(Action::kDrop)][at(Direction::RECEIVE)][at(Reason::CLEARTEXT)]
        .packets;
  }
  static void wait_for_drops(std::uint64_t wanted) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (dropped() < wanted && std::chrono::steady_clock::now() < limit)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(dropped(), wanted);
  }

  [[nodiscard]] std::vector<XdpPlan> plan() const { return {{near_, "near", true, ""}}; }
  int near_ = 0;
};

TEST_F(Xdp, DropsCleartextAndOutlivesItsLoader) {
  std::optional<Programs> programs = load();
  {
    auto xdp = XdpAttachments::open(kPins);
    xdp.apply(plan(), *programs);
    ASSERT_TRUE(xdp.status().at(near_).attached) << xdp.status().at(near_).why;
    send_cleartext(20);
    wait_for_drops(20);
  }
  programs.reset();
  // Nobody holds a descriptor any more: the pins do.
  send_cleartext(10);
  wait_for_drops(30);
  // A new build takes over without a moment without a program.
  programs = load();
  EXPECT_TRUE(programs->adopted());
  auto xdp = XdpAttachments::open(kPins);
  xdp.apply(plan(), *programs);
  EXPECT_TRUE(xdp.status().at(near_).attached);
  send_cleartext(5);
  wait_for_drops(35);
  xdp.apply({}, *programs);
  EXPECT_TRUE(find_xdp(kPins).empty());
  send_cleartext(5);
  EXPECT_EQ(dropped(), 35U);
}

TEST_F(Xdp, LeavesAnothersProgramAlone) {
  const Programs programs = load();
  auto others = XdpAttachments::open(std::string(kPins) + "-other");
  ASSERT_EQ(std::filesystem::create_directories(std::string(kPins) + "-other/xdp"), true);
  others.apply(plan(), programs);
  ASSERT_TRUE(others.status().at(near_).attached);
  auto xdp = XdpAttachments::open(kPins);
  xdp.apply(plan(), programs);
  EXPECT_FALSE(xdp.status().at(near_).attached);
  EXPECT_EQ(xdp.status().at(near_).why, "another XDP program is attached; espial leaves it alone");
  // Its place is taken within a second of its leaving.
  others.apply({}, programs);
  (void)xdp.verify(programs);
  EXPECT_TRUE(xdp.status().at(near_).attached);
}

TEST_F(Xdp, ComesBackWhenItsPinIsRemoved) {
  const Programs programs = load();
  auto xdp = XdpAttachments::open(kPins);
  xdp.apply(plan(), programs);
  ASSERT_EQ(find_xdp(kPins).size(), 1U);
  ASSERT_EQ(unlink((std::string(kPins) + "/xdp/" + std::to_string(near_)).c_str()), 0);
  const Missing missing = xdp.verify(programs);
  EXPECT_EQ(missing.programs, 0U);
  EXPECT_EQ(missing.pins, 1U);
  EXPECT_EQ(find_xdp(kPins).size(), 1U);
  send_cleartext(3);
  wait_for_drops(3);
}

// Frames of other VLANs would look like ours: seen to be dropped.
TEST_F(Xdp, StaysAwayWhereVlanTagsAreHidden) {
  const Programs programs = load();
  auto xdp = XdpAttachments::open(kPins);
  for (const char* feature : {"rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"}) {
    ASSERT_TRUE(set_feature("near", feature, true));
    xdp.apply(plan(), programs);
    EXPECT_FALSE(xdp.status().at(near_).attached);
    EXPECT_EQ(xdp.status().at(near_).why,
              std::string("VLAN tags are stripped before XDP, which would drop packets of other "
                          "VLANs: ethtool -K near ") +
                  feature + " off");
    ASSERT_TRUE(set_feature("near", feature, false));
    EXPECT_EQ(xdp.verify(programs).programs, 0U);
    EXPECT_TRUE(xdp.status().at(near_).attached) << xdp.status().at(near_).why;
    // What begins to hide them loses it within a second.
    ASSERT_TRUE(set_feature("near", feature, true));
    EXPECT_EQ(xdp.verify(programs).programs, 0U);
    EXPECT_FALSE(xdp.status().at(near_).attached);
    EXPECT_TRUE(find_xdp(kPins).empty());
    ASSERT_TRUE(set_feature("near", feature, false));
  }
}

TEST_F(Xdp, SaysWhyABridgeCannot) {
  ASSERT_EQ(std::system("ip link add br0 type bridge && ip link set br0 up"), 0);
  const int bridge = static_cast<int>(if_nametoindex("br0"));
  const Programs programs = load();
  auto xdp = XdpAttachments::open(kPins);
  xdp.apply({{bridge, "br0", true, ""}}, programs);
  EXPECT_FALSE(xdp.status().at(bridge).attached);
  EXPECT_EQ(xdp.status().at(bridge).why, "its driver has no native XDP");
  (void)std::system("ip link del br0");
}

}  // namespace
}  // namespace espial
