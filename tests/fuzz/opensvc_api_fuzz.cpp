// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as the agent's HTTP answer, then its body as a keyword list, as
// networks and as events. How the bytes are cut must not matter, and bounds must hold.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sources/opensvc/http_answer.h"
#include "sources/opensvc/opensvc_api.h"

namespace {

constexpr std::size_t kLimit = 4096;

struct Outcome {
  bool failed = false;
  bool complete = false;
  int status = 0;
  std::string body;
  std::size_t events = 0;
};

Outcome read_in_pieces(std::string_view text, std::size_t piece) {
  espial::HttpAnswer answer(kLimit);
  espial::EventStream stream;
  Outcome out;
  for (std::size_t at = 0; at < text.size() && !out.failed; at += piece) {
    out.failed = !answer.feed(text.substr(at, piece)).ok();
    const auto body = answer.take_body();
    out.events += stream.feed(body);
    out.body += body;
  }
  out.failed = out.failed || !answer.finish().ok();
  out.complete = answer.complete();
  out.status = answer.status();
  if (out.body.size() > kLimit) std::abort();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto bytes = read_in_pieces(text, 1);
  const auto whole = read_in_pieces(text, size == 0 ? 1 : size);
  // An answer that is whole may be cut anywhere; one that is wrong may fail earlier or later.
  if (!bytes.failed && !whole.failed &&
      (bytes.body != whole.body || bytes.events != whole.events || bytes.status != whole.status))
    std::abort();
  for (const auto& list : {std::string_view(whole.body), text}) {
    (void)espial::is_unset_keyword(list);
    if (const auto got = espial::parse_keyword_list(list, {"cluster.nodes"}); got.ok())
      if (got->size() > 1) std::abort();
    if (const auto got = espial::parse_network_list(list); got.ok())
      for (const auto& network : *got)
        if (network.name.empty()) std::abort();
  }
  return 0;
}
