// SPDX-License-Identifier: Apache-2.0
// What om3's API is asked and answers (daemon/api): keywords of the cluster's configuration, its
// networks, and its event stream.
//
// Without `kw` the API lists all keywords, the cluster's secret among them: there is no way to make
// such a request here, and keywords of [cluster] other than nodes are refused. Some versions answer
// the whole configuration all the same: an answer that names a secret is rejected before anything
// is parsed or copied.
//
// Agents differ in the shape of an item: {keyword, value, evaluated} or {meta: {keyword}, data:
// {value}}. Both are read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espial {

inline constexpr std::size_t kMaxOpensvcAnswer = 4 << 20;

// The target of a request, as the agent evaluates these keywords for that node (empty: for itself).
Result<std::string> opensvc_config_target(const std::vector<std::string>& keywords,
                                          std::string_view node);

// A KeywordList's evaluated values by keyword: lists are words, null is empty. Keywords that were
// not asked for are an error, and are not named. An agent that starts answers an empty list: what
// is missing was not answered, which is not the same as an empty value.
Result<std::map<std::string, std::string>> parse_keyword_list(
    std::string_view body, const std::vector<std::string>& asked);

// One line of a NetworkList; text that is missing or null is empty.
struct OpensvcListedNetwork {
  std::string name;
  std::string type;
  std::string network;
};
Result<std::vector<OpensvcListedNetwork>> parse_network_list(std::string_view body);

// Whether a Problem, the body of an answer that is not 200, says that there is no such keyword or
// no value. All other refusals may pass, and say nothing about the keyword.
bool is_unset_keyword(std::string_view body);

// Why an answer must not be read, nor asked for again: it names a secret. parse_…() say the same.
std::optional<Error> refusal_of(std::string_view body);

// Server-sent events, counted: an event only says that it is time to read again.
class EventStream {
 public:
  // How many events ended in these bytes; comments (pings) are none.
  std::size_t feed(std::string_view bytes);

 private:
  char last_ = '\n';
  bool line_has_text_ = false;
  bool comment_ = false;
  bool field_ = false;  // of the event at hand: has it any?
};

}  // namespace espial
