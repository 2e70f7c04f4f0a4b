// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal/report.h"

#include <ostream>

namespace espial {

std::string error_text(const Error& error) {
  std::string out = "espial: ";
  for (const char c : error.message) {
    out += c;
    if (c == '\n') out += "espial: ";
  }
  return out + "\n";
}

int exit_of(const Error& error) {
  switch (error.failure) {
    case Failure::kUsage:
      return kExitUsage;
    case Failure::kUnable:
      return kExitUnable;
  }
  return kExitBug;
}

int report(const Error& error, Console& console) {
  console.err << error_text(error) << std::flush;
  return exit_of(error);
}

}  // namespace espial
