// SPDX-License-Identifier: Apache-2.0
// Another's tcx program before ours: it may end the chain, whatever it returns but TCX_NEXT. Ours
// is put first once; who comes before it again is told, not fought. In namespaces of its own.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "kernel/attach/attachments.h"

namespace espial {
namespace {

constexpr const char* kPins = "/sys/fs/bpf/espial-order-test";
constexpr __u32 kBefore = 1U << 3;  // BPF_F_BEFORE
constexpr auto kIngress = static_cast<bpf_attach_type>(46);
constexpr auto kEgress = static_cast<bpf_attach_type>(47);

// A program that only returns `code`.
UniqueFd returning(int code) {
  bpf_insn move{};
  move.code = BPF_ALU64 | BPF_MOV | BPF_K;
  move.imm = code;
  bpf_insn leave{};
  leave.code = BPF_JMP | BPF_EXIT;
  const std::array program{move, leave};
  return UniqueFd(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "elses", "GPL", program.data(),
                                program.size(), nullptr));
}

class Order : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    ASSERT_EQ(unshare(CLONE_NEWNET | CLONE_NEWNS), 0) << "needs root";
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr), 0);
    ASSERT_EQ(std::system("ip link add far type veth peer name near && ip link set near up"), 0);
    device_.ifindex = static_cast<int>(if_nametoindex("near"));
    device_.name = "near";
    ProgramLimits limits;
    limits.max_peers = 16;
    auto loaded = Programs::load(kPins, limits);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    programs_.emplace(std::move(*loaded));
    auto opened = Attachments::open(kPins, "/nonexistent", *programs_);
    ASSERT_TRUE(opened.ok());
    attachments_.emplace(std::move(*opened));
    if (attachments_->mode() != AttachMode::kTcx) GTEST_SKIP() << "a kernel without tcx";
    ASSERT_EQ(attachments_->apply({device_}, *programs_), 2);
  }
  void TearDown() override {
    (void)detach_all(kPins, "/nonexistent").ok();
    (void)umount("/sys/fs/bpf");
  }

  [[nodiscard]] UniqueFd come_before(bpf_attach_type hook) const {
    const auto program = returning(GetParam());
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = kBefore);
    return UniqueFd(bpf_link_create(program.get(), device_.ifindex, hook, &options));
  }
  [[nodiscard]] bool first(Direction direction) const {
    const int ours = programs_->program_fd(direction, DeviceRole::kWire, true);
    const auto chain = tcx_chain(device_.ifindex, direction);
    return !chain.empty() && chain.front() == program_id(ours);
  }
  std::string displaced() { return attachments_->status().at(0).displaced; }

  DevicePlan device_;
  std::optional<Programs> programs_;
  std::optional<Attachments> attachments_;
};

TEST_P(Order, IsPutFirstOnceAndThenTold) {
  for (const auto direction : {Direction::RECEIVE, Direction::TRANSMIT}) {
    const auto hook = direction == Direction::RECEIVE ? kIngress : kEgress;
    SCOPED_TRACE(to_string(direction));
    ASSERT_TRUE(first(direction));
    EXPECT_EQ(attachments_->verify(*programs_).programs, 0U);
    {
      const auto other = come_before(hook);
      ASSERT_TRUE(other.valid());
      ASSERT_FALSE(first(direction));
      EXPECT_EQ(attachments_->verify(*programs_).programs, 1U);
      EXPECT_TRUE(first(direction));
      EXPECT_EQ(displaced(), "");
      EXPECT_EQ(tcx_chain(device_.ifindex, direction).size(), 2U) << "the other one stays";

      const auto again = come_before(hook);
      ASSERT_TRUE(again.valid());
      for (int look = 0; look < 3; ++look) {
        EXPECT_EQ(attachments_->verify(*programs_).programs, 0U) << "a fight";
        EXPECT_FALSE(first(direction));
        EXPECT_NE(displaced().find("runs before espial's and may end the chain"),
                  std::string::npos);
        EXPECT_NE(displaced().find("elses (id "), std::string::npos) << displaced();
      }
    }
    EXPECT_EQ(attachments_->verify(*programs_).programs, 0U);
    EXPECT_TRUE(first(direction));
    EXPECT_EQ(displaced(), "");
  }
}

// TCX_NEXT, PASS, DROP, REDIRECT, and what no kernel knows.
INSTANTIATE_TEST_SUITE_P(Returning, Order, ::testing::Values(-1, 0, 2, 7, 99));

}  // namespace
}  // namespace espial
