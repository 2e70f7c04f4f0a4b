// SPDX-License-Identifier: Apache-2.0
#include "cli/ask_daemon.h"

#include "base/printable.h"
#include "cli/text/wording.h"
#include "control/control_client.h"
#include "model/control_path.h"

namespace espial {
namespace {

using nlohmann::json;

Result<json> parse_answer(const std::string& path, const std::string& answer) {
  json document = json::parse(answer, nullptr, false);
  const auto where = printable(path) + ": read the answer: ";
  if (!document.is_object()) return Error{where + "it is not a JSON object (is this espial?)"};
  if (const auto error = text_field(document, "error"); !error.empty()) {
    if (true_field(document, "usage")) return Error{error, Failure::kUsage};
    return Error{where + error};
  }
  if (const auto version = count_field(document, "schema_version"); version != 1)
    return Error{where + "schema_version is " + std::to_string(version) +
                 "; this espial reads 1 (use the daemon's version of espial)"};
  return document;
}

}  // namespace

Result<json> ask_daemon(const Config& config, std::string_view request, const Offline& offline) {
  const auto path = control_socket_path(config.state_dir);
  auto answer = control_request(path, request);
  if (answer.ok()) return parse_answer(path, *answer);
  if (!offline) return std::move(answer).error();
  auto document = offline(config);
  if (document.ok()) return document;
  return Error{answer.error().message + "\n" + document.error().message, document.error().failure};
}

}  // namespace espial
