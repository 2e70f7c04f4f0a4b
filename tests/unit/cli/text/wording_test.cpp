// SPDX-License-Identifier: Apache-2.0
#include "cli/text/wording.h"

#include <gtest/gtest.h>

#include "base/printable.h"
#include "cli/terminal/watch_screen.h"

namespace espial {
namespace {

TEST(Wording, PercentNeverRoundsToAVerdict) {
  EXPECT_EQ(percent(nullptr), "-");
  EXPECT_EQ(percent(1.0), "100 %");
  EXPECT_EQ(percent(0.9999999), "99.99 %");
  EXPECT_EQ(percent(0.5), "50.00 %");
  EXPECT_EQ(percent(0.0000001), "<0.01 %");
  EXPECT_EQ(percent(0), "0 %");
}

TEST(Wording, Numbers) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(rate(0, 0), "-");
  EXPECT_EQ(rate(0, 60), "0");
  EXPECT_EQ(rate(1, 60), "<0.1");
  EXPECT_EQ(rate(90, 60), "1.5");
  EXPECT_EQ(rate(74070, 60), "1,235");  // 1234.5
  EXPECT_EQ(bit_rate(1, 0), "-");
  EXPECT_EQ(bit_rate(0, 60), "0");
  EXPECT_EQ(bit_rate(1250000000, 1), "10.0 G");
  EXPECT_EQ(bit_rate(125, 1), "1.0 k");
  EXPECT_EQ(seconds_text(0.0213), "21 ms");
  EXPECT_EQ(seconds_text(2.34), "2.3 s");
}

TEST(Wording, Times) {
  const auto time = parse_time("2026-01-02T03:04:05Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(time->time_since_epoch().count(), 1767323045);
  EXPECT_EQ(parse_time("2026-01-02T03:04:05.999999999Z"), time);
  EXPECT_EQ(parse_time("2026-01-02T05:04:05+02:00"), time);
  EXPECT_EQ(parse_time("2026-01-01T22:34:05-04:30"), time);
  for (const char* bad : {"", "2026", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05",
                          "2026-01-02T03:04:05.Zx", "2026-01-02T-3:04:05Z", "never"})
    EXPECT_FALSE(parse_time(bad)) << bad;
  const std::string now = "2026-01-02T03:04:05Z";
  EXPECT_EQ(ago("2026-01-02T03:04:01Z", now), "4 s ago");
  EXPECT_EQ(ago("2026-01-02T03:04:09Z", now), "0 s ago") << "a clock step";
  EXPECT_EQ(ago("2026-01-02T03:00:05Z", now), "4 min ago");
  EXPECT_EQ(ago("2026-01-01T23:04:05Z", now), "4 h ago");
  EXPECT_EQ(ago("2025-12-29T03:04:05Z", now), "4 d ago");
  EXPECT_EQ(ago("soon", now), "soon");
}

TEST(Printable, EscapesEverythingButPrintableAscii) {
  EXPECT_EQ(printable("node-2 ~"), "node-2 ~");
  EXPECT_EQ(printable(std::string_view("\0\x1b\n\x7f\x80\\", 6)), "\\x00\\x1b\\x0a\\x7f\\x80\\\\");
  EXPECT_EQ(in_quotes("a\"b"), "\"a\\\"b\"");
  EXPECT_EQ(in_quotes("abcdef", 3), "\"abc\"...");
}

TEST(ClipLine, CountsOnlyWhatIsVisible) {
  EXPECT_EQ(clip_line("abcdef", 0), "abcdef");
  EXPECT_EQ(clip_line("abcdef", 6), "abcdef");
  EXPECT_EQ(clip_line("abcdef", 3), "abc\x1b[0m");
  EXPECT_EQ(clip_line("\x1b[1;31mabc\x1b[0m", 3), "\x1b[1;31mabc\x1b[0m");
  EXPECT_EQ(clip_line("\x1b[1;31mabcd\x1b[0m", 3), "\x1b[1;31mabc\x1b[0m");
  EXPECT_EQ(clip_line("abc\x1b", 9), "abc\x1b");
}

}  // namespace
}  // namespace espial
