// SPDX-License-Identifier: Apache-2.0
#include "model/facts/ike_troubles.h"

#include <algorithm>
#include <array>

namespace espial {
namespace {

constexpr std::size_t kMostBegun = 256;
constexpr std::size_t kMostText = 512;  // bytes of a line, or of a name

struct Phrase {
  std::string_view text;
  IkeTroubleKind kind;
};

// The first that is in the line counts.
constexpr std::array<Phrase, 14> kPhrases{{
    {"certificate invalid (valid from", IkeTroubleKind::kCertificateTime},
    {"no IKE config found for", IkeTroubleKind::kUnknownPeer},
    {"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA", IkeTroubleKind::kChildProposals},
    {"no acceptable proposal found", IkeTroubleKind::kChildProposals},
    {"received NO_PROPOSAL_CHOSEN notify", IkeTroubleKind::kIkeProposals},
    {"received proposals unacceptable", IkeTroubleKind::kIkeProposals},
    {"received AUTHENTICATION_FAILED notify", IkeTroubleKind::kAuthentication},
    {"but MAC mismatched", IkeTroubleKind::kAuthentication},
    {"no matching peer config found", IkeTroubleKind::kAuthentication},
    {"no shared key found for", IkeTroubleKind::kAuthentication},
    {"no private key found for", IkeTroubleKind::kAuthentication},
    {" public key found for '", IkeTroubleKind::kAuthentication},
    {"constraint check failed", IkeTroubleKind::kAuthentication},
    {"no acceptable traffic selectors found", IkeTroubleKind::kSelectors},
}};

bool has(std::string_view line, std::string_view text) {
  return line.find(text) != std::string_view::npos;
}

std::string cut(std::string_view text) { return std::string(text.substr(0, kMostText)); }

}  // namespace

std::optional<IkeTroubleKind> trouble_in(std::string_view line) {
  if (has(line, "TS_UNACCEPTABLE notify")) return IkeTroubleKind::kSelectors;
  if (line.starts_with("traffic selectors ") && line.ends_with(" unacceptable"))
    return IkeTroubleKind::kSelectors;
  for (const auto& phrase : kPhrases)
    if (has(line, phrase.text)) return phrase.kind;
  return std::nullopt;
}

// "10.45.0.11 is initiating an IKE_SA" is the one line that names the host, and the IKE_SA's first.
std::string IkeTroubles::remember_host(const CharonLine& line) {
  if (line.ike_sa.empty()) return {};
  const auto known = std::find_if(began_.begin(), began_.end(),
                                  [&](const auto& one) { return one.first == line.ike_sa; });
  constexpr std::string_view kBegins = " is initiating an IKE_SA";
  if (known == began_.end() && line.text.ends_with(kBegins)) {
    if (began_.size() == kMostBegun) began_.pop_front();
    began_.emplace_back(cut(line.ike_sa),
                        cut(line.text.substr(0, line.text.size() - kBegins.size())));
    return began_.back().second;
  }
  return known == began_.end() ? std::string() : known->second;
}

void IkeTroubles::take(const CharonLine& line, std::chrono::system_clock::time_point now) {
  auto host = remember_host(line);
  const auto kind = trouble_in(line.text);
  if (!kind) return;
  const bool named = !line.connection.empty() && line.connection != "(unnamed)";
  if (*kind == IkeTroubleKind::kUnknownPeer) {
    // "no IKE config found for OURS...THEIRS, sending NO_PROPOSAL_CHOSEN"
    const auto dots = line.text.find("...");
    const auto end = line.text.find(',', dots);
    if (dots != std::string::npos && end != std::string::npos)
      host = cut(line.text.substr(dots + 3, end - dots - 3));
  }
  if (!named && host.empty()) return;
  IkeTrouble trouble{*kind, named ? cut(line.connection) : std::string(), std::move(host),
                     cut(line.text), now};
  auto key = named ? trouble.connection : "@" + trouble.remote_host;
  const auto known = troubles_.find(key);
  if (known != troubles_.end() && follows(known->second, *kind, line.ike_sa)) return;
  if (known == troubles_.end() && troubles_.size() >= kMost) {
    const auto at = [](const auto& entry) { return entry.second.trouble.at; };
    troubles_.erase(
        std::min_element(troubles_.begin(), troubles_.end(),
                         [&](const auto& one, const auto& other) { return at(one) < at(other); }));
  }
  troubles_.insert_or_assign(std::move(key), Logged{std::move(trouble), cut(line.ike_sa)});
}

// "no trusted ECDSA public key found" comes behind the certificate that was not valid.
bool IkeTroubles::follows(const Logged& known, IkeTroubleKind kind, std::string_view ike_sa) {
  return known.ike_sa == ike_sa && known.trouble.kind == IkeTroubleKind::kCertificateTime &&
         kind == IkeTroubleKind::kAuthentication;
}

void IkeTroubles::forget(std::string_view connection) {
  if (const auto found = troubles_.find(std::string(connection)); found != troubles_.end())
    troubles_.erase(found);
}

std::vector<IkeTrouble> IkeTroubles::all() const {
  std::vector<IkeTrouble> out;
  for (const auto& [key, logged] : troubles_) out.push_back(logged.trouble);
  return out;
}

}  // namespace espial
