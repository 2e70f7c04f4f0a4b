// SPDX-License-Identifier: Apache-2.0
// Every program loads, with and without CAP_PERFMON, within its verifier budget.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/capability.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "kernel/test_run.h"

namespace espial {
namespace {

// Verified instructions each entry may cost; raise knowingly (other kernels explore differently).
constexpr unsigned kVerifierCeiling = 40'000;

TableSpec small_table() {
  TableSpec spec;
  spec.entries = {
      {Prefix::parse("10.45.0.11").value(), EP_ROLE_SELF_UNDERLAY, 0, 0, true},
      {Prefix::parse("10.45.0.12").value(), EP_ROLE_PEER_UNDERLAY, 1, 0, true},
  };
  return spec;
}

std::array<std::uint8_t, 60> esp_frame() {
  std::array<std::uint8_t, 60> frame{};
  frame[12] = 0x08;
  frame[14] = 0x45;
  frame[17] = 46;
  frame[23] = 50;
  const std::array<std::uint8_t, 8> addresses{10, 45, 0, 12, 10, 45, 0, 11};
  std::copy(addresses.begin(), addresses.end(), frame.begin() + 26);
  frame[37] = 7;
  return frame;
}

void expect_loads_and_judges() {
  // The short ways exist only where no verdict is asked for.
  auto counting = TestRun::open(small_table(), 16, TestRun::Verdicts::kNo);
  ASSERT_TRUE(counting.ok()) << counting.error().message;
  auto run = TestRun::open(small_table(), 16);
  ASSERT_TRUE(run.ok()) << run.error().message;
  const auto frame = esp_frame();
  TestFrame test{.bytes = frame};
  auto verdict = run->run(test);
  ASSERT_TRUE(verdict.ok()) << verdict.error().message;
  EXPECT_EQ(to_string(verdict->klass), "esp");
  EXPECT_EQ(verdict->peer, 1U);
}

TEST(Load, AsRoot) { expect_loads_and_judges(); }

// CAP_BPF and CAP_NET_ADMIN must suffice: without CAP_PERFMON the verifier is stricter.
TEST(Load, WithoutPerfmon) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    cap_t caps = cap_init();
    const std::array<cap_value_t, 2> keep{CAP_BPF, CAP_NET_ADMIN};
    cap_set_flag(caps, CAP_PERMITTED, keep.size(), keep.data(), CAP_SET);
    cap_set_flag(caps, CAP_EFFECTIVE, keep.size(), keep.data(), CAP_SET);
    if (cap_set_proc(caps) != 0) _exit(3);
    expect_loads_and_judges();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Load, VerifierBudget) {
  auto run = TestRun::open(small_table(), 16, TestRun::Verdicts::kNo);
  ASSERT_TRUE(run.ok()) << run.error().message;
  for (const auto direction : {Direction::RECEIVE, Direction::TRANSMIT}) {
    for (const auto role : {DeviceRole::kWire, DeviceRole::kReentry, DeviceRole::kWireAndReentry}) {
      for (const bool ethernet : {true, false}) {
        bpf_prog_info info{};
        __u32 size = sizeof(info);
        ASSERT_EQ(bpf_obj_get_info_by_fd(run->programs().program_fd(direction, role, ethernet),
                                         &info, &size),
                  0);
        std::printf("%-16s %u verified instructions (ceiling %u), %u bytes of machine code\n",
                    info.name, info.verified_insns, kVerifierCeiling, info.jited_prog_len);
        EXPECT_LE(info.verified_insns, kVerifierCeiling) << info.name;
        EXPECT_GT(info.verified_insns, 0U) << info.name;
      }
    }
  }
}

}  // namespace
}  // namespace espial
