// SPDX-License-Identifier: Apache-2.0
#include "base/private_buffer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace espial {
namespace {

// What the kernel says of the mapping that holds the address: two-letter flags, "rd wr mr dd".
std::string flags_of(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    char dash = 0;
    std::istringstream head(line);
    if (head >> std::hex >> from >> dash >> to && dash == '-')
      inside = from <= wanted && wanted < to;
    else if (inside && line.rfind("VmFlags:", 0) == 0)
      return line.substr(8) + " ";
  }
  return {};
}

TEST(PrivateBuffer, IsInNoCoreDumpAndInNoChild) {
  const PrivateBuffer buffer(10'000);
  const std::string plain(100'000, 'x');
  ASSERT_NE(flags_of(plain.data()), "");
  EXPECT_EQ(flags_of(plain.data()).find(" dd "), std::string::npos) << "others are dumped";
  EXPECT_NE(flags_of(buffer.data()).find(" dd "), std::string::npos) << "VM_DONTDUMP";
  EXPECT_NE(flags_of(buffer.data() + 9'999).find(" dd "), std::string::npos);

  buffer.data()[5'000] = 42;
  const pid_t child = fork();
  if (child == 0) _exit(buffer.data()[5'000]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "a child sees zeros";
  EXPECT_EQ(buffer.data()[5'000], 42);
}

TEST(PrivateBuffer, MovesAndMayBeEmpty) {
  PrivateBuffer from(10);
  from.data()[9] = 'z';
  PrivateBuffer to(std::move(from));
  EXPECT_EQ(to.size(), 10u);
  EXPECT_EQ(to.text(10)[9], 'z');
  to = PrivateBuffer(3);
  EXPECT_EQ(to.size(), 3u);
  EXPECT_EQ(to.first(2).size(), 2u);
  EXPECT_EQ(PrivateBuffer(0).text(0), "");
}

TEST(WipedString, IsInNoCoreDumpHoweverItGrew) {
  WipedString text(100, 'x');
  EXPECT_NE(flags_of(text.data()).find(" dd "), std::string::npos);
  for (int i = 0; i < 10'000; ++i) text += 'y';
  EXPECT_NE(flags_of(text.data() + 10'099).find(" dd "), std::string::npos);
  EXPECT_EQ(text.substr(98, 4), "xxyy");
  const WipedString copy = text;
  EXPECT_NE(flags_of(copy.data()).find(" dd "), std::string::npos);
}

}  // namespace
}  // namespace espial
