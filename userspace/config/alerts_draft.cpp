// SPDX-License-Identifier: Apache-2.0
#include "config/alerts_draft.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "base/ip.h"
#include "base/printable.h"

namespace espial {
namespace {

constexpr std::size_t kMaxUrl = 2048;
constexpr std::size_t kMaxWords = 32;  // of a command
constexpr std::size_t kMaxWord = 1024;

// Labels that say what an alert is about: espial's own.
constexpr std::array<std::string_view, 7> kOwnLabels{"alertname", "collapsed", "instance", "node",
                                                     "peer",      "reporter",  "severity"};

bool visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

DraftReceiver read_receiver(YamlReader& reader, const YAML::Node& node, const Place& at) {
  DraftReceiver out{at, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  const auto path = [&](std::optional<Located<std::string>>& member) {
    return [&](const auto& n, const auto& p) { locate(member, reader.path(n, p), p); };
  };
  reader.map(
      node, at,
      {{"url",
        [&](const auto& n, const auto& p) { locate(out.url, reader.text(n, p, "a URL"), p); }},
       {"basic_auth",
        [&](const auto& n, const auto& p) {
          out.basic_auth = p;
          reader.map(
              n, p,
              {{"username",
                [&](const auto& m, const auto& q) { locate(out.username, reader.name(m, q), q); }},
               {"password_file", path(out.password_file)}});
        }},
       {"tls", [&](const auto& n, const auto& p) {
          out.tls = p;
          reader.map(n, p,
                     {{"ca_file", path(out.ca_file)},
                      {"cert_file", path(out.cert_file)},
                      {"key_file", path(out.key_file)},
                      {"server_name", [&](const auto& m, const auto& q) {
                         locate(out.server_name, reader.name(m, q), q);
                       }}});
        }}});
  return out;
}

std::vector<DraftReceiver> read_receivers(YamlReader& reader, const YAML::Node& node,
                                          const Place& at) {
  std::vector<DraftReceiver> out;
  reader.list(node, at, [&](const auto& n, const auto& p) {
    if (n.IsMap())
      out.push_back(read_receiver(reader, n, p));
    else
      reader.problems().add(p, "a receiver is a map (url, basic_auth, tls)");
  });
  return out;
}

void read_command(YamlReader& reader, const YAML::Node& node, const Place& at, DraftAlerts& out) {
  std::vector<std::string> argv;
  if (!node.IsSequence())
    return reader.problems().add(at, "a command is a list of words: [/path/of/program, argument]");
  reader.list(node, at, [&](const auto& n, const auto& p) {
    if (auto word = argv.empty() ? reader.path(n, p) : reader.text(n, p, "a word"))
      argv.push_back(std::move(*word));
  });
  out.commands.push_back({std::move(argv), at});
}

// Whatever names the file gives, unlike any other map of it.
void read_labels(YamlReader& reader, const YAML::Node& node, const Place& at, DraftAlerts& out) {
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsMap())
    return reader.problems().add(at, "labels are a map of names and values (cluster: c1)");
  for (const auto& pair : node) {
    const Place place{pair.first.Mark().line + 1, at.key};
    const auto name = reader.text(pair.first, place, "the name of a label");
    const auto value = reader.text(pair.second, place, "the value of a label");
    if (name && value) out.labels.push_back({{*name, *value}, place});
  }
}

struct Url {
  bool tls = false;
  std::string_view host;
  std::string_view rest;  // from the first / on
};

// Parts of a URL that was found to be visible ASCII; nothing: it has no such form.
std::optional<Url> split_url(std::string_view text) {
  Url url;
  for (const auto& [scheme, tls] : {std::pair{std::string_view("https://"), true},
                                    std::pair{std::string_view("http://"), false}}) {
    if (text.substr(0, scheme.size()) != scheme) continue;
    text.remove_prefix(scheme.size());
    url.tls = tls;
    const auto end = std::min(text.find_first_of("/?#"), text.size());
    std::string_view place = text.substr(0, end);
    url.rest = text.substr(end);
    const bool bracketed = !place.empty() && place.front() == '[';
    const auto closing = bracketed ? place.find(']') : std::string_view::npos;
    if (bracketed && closing == std::string_view::npos) return std::nullopt;
    const auto colon = place.find(':', bracketed ? closing : 0);
    url.host = place.substr(0, colon);
    if (bracketed) url.host = place.substr(1, closing - 1);
    if (bracketed && closing + 1 != std::min(colon, place.size())) return std::nullopt;
    if (colon != std::string_view::npos) {
      const auto port = place.substr(colon + 1);
      std::uint16_t number = 0;
      const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), number);
      if (error != std::errc() || stop != port.data() + port.size() || number == 0)
        return std::nullopt;
    }
    if (url.host.empty()) return std::nullopt;
    if (bracketed && !IpAddress::parse(url.host)) return std::nullopt;
    return url;
  }
  return std::nullopt;
}

bool on_this_host(std::string_view host) {
  const auto address = IpAddress::parse(host);
  return host == "localhost" || (address && address->loopback());
}

void check_url(const DraftReceiver& receiver, bool alertmanager, Problems& problems) {
  const auto& [text, place] = *receiver.url;
  // What stands before an @ may be a password: it is not quoted.
  const auto authority = text.substr(0, text.find_first_of("/?#", text.find("//") + 2));
  if (authority.find('@') != std::string::npos)
    return problems.add(place, "a URL must not hold a user or a password (use basic_auth)");
  const auto url = visible(text) && text.size() <= kMaxUrl ? split_url(text) : std::nullopt;
  if (!url)
    return problems.add(
        place, in_quotes(text) + " is not a URL (for example https://alerts.example:9093)");
  if (url->rest.find('#') != std::string_view::npos ||
      (alertmanager && url->rest.find('?') != std::string_view::npos))
    problems.add(place, alertmanager ? "an Alertmanager's URL has no query and no fragment"
                                     : "the URL of a webhook has no fragment");
  if (receiver.tls && !url->tls)
    problems.add(*receiver.tls, "tls is for a URL that begins with https://");
  if (receiver.basic_auth && !url->tls && !on_this_host(url->host))
    problems.add(*receiver.basic_auth,
                 "the password would travel in clear (use https://, or a proxy on this host)");
}

void check_receiver(const DraftReceiver& receiver, bool alertmanager, Problems& problems) {
  if (receiver.url)
    check_url(receiver, alertmanager, problems);
  else
    problems.add(receiver.place,
                 "a receiver needs a url (for example https://alerts.example:9093)");
  if (receiver.basic_auth && (!receiver.username || !receiver.password_file))
    problems.add(*receiver.basic_auth, "basic_auth needs username and password_file");
  if (receiver.username && receiver.username->value.find(':') != std::string::npos)
    problems.add(receiver.username->place, "a username has no colon");
  if (receiver.tls && receiver.cert_file.has_value() != receiver.key_file.has_value())
    problems.add(*receiver.tls, "cert_file and key_file belong together (give both or none)");
  if (receiver.server_name &&
      (!visible(receiver.server_name->value) ||
       receiver.server_name->value.find_first_of(":/@[]") != std::string::npos))
    problems.add(receiver.server_name->place,
                 in_quotes(receiver.server_name->value) + " is not a host name");
}

void check_count(std::size_t count, std::size_t most, std::string_view what, const Place* place,
                 Problems& problems) {
  if (count > most)
    problems.add(*place, std::to_string(count) + " " + std::string(what) + " are listed (at most " +
                             std::to_string(most) + ")");
}

bool label_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && text.size() <= 64 && letter(text.front()) && text.substr(0, 2) != "__" &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void check_labels(const DraftAlerts& draft, Problems& problems) {
  std::vector<std::string_view> seen;
  for (const auto& [label, place] : draft.labels) {
    const auto& [name, value] = label;
    if (!label_name(name))
      problems.add(place, in_quotes(name) +
                              " is not the name of a label (a-z A-Z 0-9 _, no digit "
                              "first, no __ first, at most 64)");
    else if (std::find(kOwnLabels.begin(), kOwnLabels.end(), name) != kOwnLabels.end())
      problems.add(place, in_quotes(name) + " is a label of espial's own (choose another)");
    else if (std::find(seen.begin(), seen.end(), name) != seen.end())
      problems.add(place, in_quotes(name) + " is given twice (keep one)");
    seen.push_back(name);
    const bool plain =
        !value.empty() && value.size() <= 128 &&
        std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (!plain)
      problems.add(place, in_quotes(value) +
                              " is not a label's value (1 to 128 printable ASCII characters)");
  }
}

void check_command(const Located<std::vector<std::string>>& command, Problems& problems) {
  const auto& words = command.value;
  if (words.empty())
    problems.add(command.place, "a command is a list of words: [/path/of/program, argument]");
  if (words.size() > kMaxWords || std::any_of(words.begin(), words.end(), [](const auto& word) {
        return word.size() > kMaxWord || word.find('\0') != std::string::npos;
      }))
    problems.add(command.place, "a command has at most " + std::to_string(kMaxWords) +
                                    " words of at most " + std::to_string(kMaxWord) +
                                    " bytes, none with a zero byte");
}

std::string taken(std::optional<Located<std::string>>& text) {
  return text ? std::move(text->value) : std::string();
}

std::vector<ConfigHttpReceiver> finish_receivers(std::vector<DraftReceiver>&& drafts) {
  std::vector<ConfigHttpReceiver> out;
  for (auto& draft : drafts)
    out.push_back({taken(draft.url), taken(draft.username), taken(draft.password_file),
                   taken(draft.ca_file), taken(draft.cert_file), taken(draft.key_file),
                   taken(draft.server_name)});
  return out;
}

}  // namespace

DraftAlerts read_alerts(YamlReader& reader, const YAML::Node& node, const Place& at) {
  DraftAlerts out;
  reader.map(
      node, at,
      {{"alertmanager",
        [&](const auto& n, const auto& p) { out.alertmanagers = read_receivers(reader, n, p); }},
       {"webhook",
        [&](const auto& n, const auto& p) { out.webhooks = read_receivers(reader, n, p); }},
       {"command",
        [&](const auto& n, const auto& p) {
          reader.list(n, p, [&](const auto& e, const auto& q) { read_command(reader, e, q, out); });
        }},
       {"labels", [&](const auto& n, const auto& p) { read_labels(reader, n, p, out); }},
       {"resend_seconds",
        [&](const auto& n, const auto& p) {
          out.resend_seconds = reader.number(n, p, kMinResendSeconds, kMaxResendSeconds);
        }},
       {"collapse_above", [&](const auto& n, const auto& p) {
          out.collapse_above = reader.number(n, p, 1, kMaxCollapseAbove);
        }}});
  return out;
}

void check_alerts(const DraftAlerts& draft, Problems& problems) {
  for (const auto& receiver : draft.alertmanagers) check_receiver(receiver, true, problems);
  for (const auto& receiver : draft.webhooks) check_receiver(receiver, false, problems);
  for (const auto& command : draft.commands) check_command(command, problems);
  check_labels(draft, problems);
  const auto last = [](const auto& list) { return list.empty() ? nullptr : &list.back().place; };
  check_count(draft.alertmanagers.size(), kMaxReceivers, "Alertmanagers", last(draft.alertmanagers),
              problems);
  check_count(draft.webhooks.size(), kMaxReceivers, "webhooks", last(draft.webhooks), problems);
  check_count(draft.commands.size(), kMaxReceivers, "commands", last(draft.commands), problems);
  check_count(draft.labels.size(), kMaxAlertLabels, "labels", last(draft.labels), problems);
}

ConfigAlerts finish_alerts(DraftAlerts&& draft) {
  ConfigAlerts out;
  out.alertmanagers = finish_receivers(std::move(draft.alertmanagers));
  out.webhooks = finish_receivers(std::move(draft.webhooks));
  for (auto& command : draft.commands) out.commands.push_back(std::move(command.value));
  for (auto& label : draft.labels) out.labels.push_back(std::move(label.value));
  std::sort(out.labels.begin(), out.labels.end());
  out.resend_seconds = draft.resend_seconds.value_or(out.resend_seconds);
  out.collapse_above = draft.collapse_above.value_or(out.collapse_above);
  return out;
}

}  // namespace espial
