// SPDX-License-Identifier: Apache-2.0
#include "sources/vici/vici_parse.h"

#include <charconv>

namespace espial {
namespace {

template <typename T>
std::optional<T> vici_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<CharonSelector> selectors(const ViciSection& section, std::string_view name) {
  std::vector<CharonSelector> out;
  for (const auto& text : section.list(name)) out.push_back(parse_selector(text));
  return out;
}

CharonChild child_of(const std::string& name, const ViciSection& section) {
  return {name, std::string(section.value("mode")), selectors(section, "local-ts"),
          selectors(section, "remote-ts")};
}

std::string encryption_of(const ViciSection& section) {
  std::string out(section.value("encr-alg"));
  if (const auto size = section.value("encr-keysize"); !out.empty() && !size.empty())
    out.append("-").append(size);
  return out;
}

CharonChildSa child_sa_of(const std::string& key, const ViciSection& section) {
  CharonChildSa sa;
  // Since 5.2 the key is the name and a unique number.
  sa.name = section.value("name").empty() ? key : std::string(section.value("name"));
  sa.state = section.value("state");
  sa.mode = section.value("mode");
  sa.spi_in = vici_number<std::uint32_t>(section.value("spi-in"), 16).value_or(0);
  sa.spi_out = vici_number<std::uint32_t>(section.value("spi-out"), 16).value_or(0);
  sa.reqid = vici_number<std::uint32_t>(section.value("reqid")).value_or(0);
  sa.encryption = encryption_of(section);
  sa.packets_in = vici_number<std::uint64_t>(section.value("packets-in")).value_or(0);
  sa.packets_out = vici_number<std::uint64_t>(section.value("packets-out")).value_or(0);
  sa.bytes_in = vici_number<std::uint64_t>(section.value("bytes-in")).value_or(0);
  sa.bytes_out = vici_number<std::uint64_t>(section.value("bytes-out")).value_or(0);
  sa.rekey_seconds = vici_number<std::int64_t>(section.value("rekey-time"));
  sa.life_seconds = vici_number<std::int64_t>(section.value("life-time"));
  sa.local = selectors(section, "local-ts");
  sa.remote = selectors(section, "remote-ts");
  return sa;
}

}  // namespace

void add_vici_connections(const ViciSection& event, CharonFacts& facts) {
  for (const auto& [name, section] : event.sections) {
    CharonConnection connection{
        name, section.list("local_addrs"), section.list("remote_addrs"), {}};
    for (const auto& [child, inner] : section.section("children").sections)
      connection.children.push_back(child_of(child, inner));
    facts.connections.push_back(std::move(connection));
  }
}

void add_vici_sas(const ViciSection& event, CharonFacts& facts) {
  for (const auto& [name, section] : event.sections) {
    CharonIkeSa ike{name,
                    std::string(section.value("state")),
                    std::string(section.value("remote-host")),
                    std::string(section.value("remote-id")),
                    vici_number<std::int64_t>(section.value("established")),
                    vici_number<std::int64_t>(section.value("rekey-time")),
                    {}};
    for (const auto& [key, inner] : section.section("child-sas").sections)
      ike.children.push_back(child_sa_of(key, inner));
    facts.ike_sas.push_back(std::move(ike));
  }
}

void add_charon_policies(const ViciSection& event, CharonFacts& facts) {
  for (const auto& [key, section] : event.sections) {
    // 5.9: the key is CONNECTION/CHILD, and both are also values.
    const auto slash = key.rfind('/');
    CharonPolicy policy{std::string(section.value("ike")), child_of(key, section)};
    if (!section.value("child").empty())
      policy.child.name = section.value("child");
    else if (slash != std::string::npos)
      policy.child.name = key.substr(slash + 1);
    if (policy.connection.empty() && slash != std::string::npos)
      policy.connection = key.substr(0, slash);
    facts.policies.push_back(std::move(policy));
  }
}

}  // namespace espial
