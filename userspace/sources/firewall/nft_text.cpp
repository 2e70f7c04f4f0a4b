// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/nft_text.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

namespace espial {
namespace {

constexpr std::string_view kHandle = " # handle ";

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!(line = trimmed(line)).empty()) {
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

// "RULE # handle 12" without its end, and the number.
std::optional<std::pair<std::string, std::uint64_t>> split_handle(std::string_view line) {
  const auto at = line.rfind(kHandle);
  if (at == std::string_view::npos) return std::nullopt;
  const auto digits = line.substr(at + kHandle.size());
  std::uint64_t handle = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), handle);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return std::pair{std::string(line.substr(0, at)), handle};
}

// The devices of a base chain: one in quotes, several in braces without.
std::vector<std::string> devices_of(std::string_view line) {
  std::vector<std::string> devices;
  bool listed = false;
  for (auto word : words_of(line.substr(0, line.find(" priority ")))) {
    if (std::exchange(listed, listed || word.starts_with("device")) && word != "=" && word != "{" &&
        word != "}") {
      if (word.ends_with(',')) word.remove_suffix(1);
      if (word.size() > 2 && word.front() == '"') word = word.substr(1, word.size() - 2);
      devices.emplace_back(word);
    }
  }
  return devices;
}

struct ChainText {
  std::map<std::uint64_t, std::string> rules;
  std::vector<std::string> devices;
};
struct TableText {
  bool flags = false;
  bool dormant = false;
  std::map<std::string, ChainText, std::less<>> chains;
};
using Listing = std::map<std::pair<std::string, std::string>, TableText>;

// The blocks of the listing: "table FAMILY NAME {", in it "<tab>chain NAME {".
class NftTextReader {
 public:
  Listing take() { return std::move(listing_); }
  [[nodiscard]] const std::vector<Listing::key_type>& order() const { return order_; }

  void line(std::string_view text) {
    if (text.empty()) return;
    if (!text.starts_with('\t')) return top(text);
    if (table_ == nullptr) return;
    if (!text.starts_with("\t\t")) return block(text);
    if (chain_ != nullptr) inside(text);
  }

 private:
  void top(std::string_view text) {
    table_ = nullptr;
    chain_ = nullptr;
    const auto words = words_of(text);
    if (words.size() < 4 || words[0] != "table" || words[3] != "{") return;
    order_.emplace_back(words[1], words[2]);
    table_ = &listing_[order_.back()];
  }

  void block(std::string_view text) {
    chain_ = nullptr;
    const auto words = words_of(text);
    if (words.size() >= 2 && words[0] == "flags") {
      table_->flags = true;
      table_->dormant = text.find("dormant") != std::string_view::npos;
    }
    if (words.size() >= 3 && words[0] == "chain" && words[2] == "{")
      chain_ = &table_->chains[std::string(words[1])];
    rule_.clear();
  }

  // A rule may take several lines; the last one ends with its handle.
  void inside(std::string_view text) {
    text = trimmed(text);
    if (rule_.empty() && text.starts_with("type ") &&
        text.find(" hook ") != std::string_view::npos) {
      chain_->devices = devices_of(text);
      return;
    }
    if (!rule_.empty()) rule_ += ' ';
    rule_ += text;
    if (auto whole = split_handle(rule_)) {
      chain_->rules[whole->second] = std::move(whole->first);
      rule_.clear();
    }
  }

  Listing listing_;
  std::vector<Listing::key_type> order_;
  TableText* table_ = nullptr;
  ChainText* chain_ = nullptr;
  std::string rule_;
};

void add_to(Chain& chain, const ChainText& text) {
  if (chain.base) chain.base->devices = text.devices;
  for (auto& rule : chain.rules)
    if (const auto found = text.rules.find(rule.handle); found != text.rules.end())
      rule.text = found->second;
}

void read_lines(NftTextReader& reader, std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    reader.line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

}  // namespace

std::vector<ListedTable> nft_tables_of(std::string_view text) {
  NftTextReader reader;
  read_lines(reader, text);
  std::vector<ListedTable> tables;
  const auto order = reader.order();
  const Listing listing = reader.take();
  for (const auto& key : order) {
    const auto& table = listing.at(key);
    tables.push_back({key.first, key.second, table.flags, table.dormant});
  }
  return tables;
}

void add_nft_text(Ruleset& ruleset, std::string_view text) {
  NftTextReader reader;
  read_lines(reader, text);
  const Listing listing = reader.take();
  for (auto& table : ruleset.tables) {
    const auto found = listing.find({std::string(to_string(table.family)), table.name});
    if (found == listing.end()) continue;
    table.dormant = found->second.dormant;
    table.flags_unclear = false;
    for (auto& chain : table.chains)
      if (const auto it = found->second.chains.find(chain.name); it != found->second.chains.end())
        add_to(chain, it->second);
  }
}

}  // namespace espial
