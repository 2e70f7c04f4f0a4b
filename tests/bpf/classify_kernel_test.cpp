// SPDX-License-Identifier: Apache-2.0
// The two engines of `espial classify` say the same of every frame.
#include <gtest/gtest.h>

#include "classify/judgement.h"
#include "frames/corpus.h"
#include "frames/host_engine.h"

namespace espial {
namespace {

TEST(Engines, AgreeOnTheCorpusWholeAndCut) {
  const TableSpec spec = frames::table_spec(frames::corpus_world());
  auto kernel = kernel_engine(spec);
  ASSERT_TRUE(kernel.ok()) << kernel.error().message;
  auto host = host_engine(spec);
  ASSERT_TRUE(host.ok()) << host.error().message;
  EXPECT_EQ(kernel->name, "kernel");
  EXPECT_EQ(host->name, "host");
  std::size_t in_kernel = 0;
  for (const auto& c : frames::corpus()) {
    const auto bytes = c.frame.bytes();
    // Tagged frames: VLANs are of a device, and a capture names none.
    if (c.metadata_tci || c.name.rfind("vlan/", 0) == 0) continue;
    for (const std::size_t kept : {bytes.size(), bytes.size() / 2}) {
      CapturedFrame frame;
      frame.bytes = std::span(bytes).first(kept);
      frame.original_length = bytes.size();
      frame.link =
          c.frame.link() == frames::LinkKind::kRaw ? LinkKind::kRawIp : LinkKind::kEthernet;
      const auto a = kernel->judge(frame, c.direction);
      const auto b = host->judge(frame, c.direction);
      ASSERT_TRUE(a.ok() && b.ok()) << c.name;
      EXPECT_EQ(a->klass, b->klass) << c.name;
      EXPECT_EQ(a->outcome, b->outcome) << c.name;
      EXPECT_EQ(a->peer, b->peer) << c.name;
      EXPECT_FALSE(b->by_kernel);
      EXPECT_FALSE(a->by_kernel && frame.cut()) << c.name;
      if (a->by_kernel) ++in_kernel;
    }
  }
  EXPECT_GE(in_kernel, 850U);
}

}  // namespace
}  // namespace espial
