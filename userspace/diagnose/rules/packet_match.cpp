// SPDX-License-Identifier: Apache-2.0
#include "diagnose/rules/packet_match.h"

#include <utility>

namespace espial {
namespace {

Tri negate(Tri value) {
  if (value == Tri::kUnknown) return value;
  return value == Tri::kYes ? Tri::kNo : Tri::kYes;
}

// nft 1.0.6 prints ethertypes with their bytes swapped when asked for numbers.
Wide swapped16(Wide value) { return (value & 0xff) << 8 | (value >> 8 & 0xff); }

bool inside(Wide value, const Interval& interval) {
  return value >= interval.first && value <= interval.last;
}

Tri tri(bool yes) { return yes ? Tri::kYes : Tri::kNo; }

// fib's answer is a device or none, which a rule spells "missing", false, 0 or "0".
Tri fits_route(const Pattern& pattern, const std::string& device) {
  if (const auto* name = std::get_if<Name>(&pattern))
    return tri(name->text == "0" ? device.empty() : name->text == device);
  return tri(inside(device.empty() ? 0 : 1, std::get<Interval>(pattern)));
}

Tri fits(const Pattern& pattern, const Seen& seen, Field field) {
  if (std::holds_alternative<Anything>(pattern)) return Tri::kYes;
  if (seen.kind == Seen::Kind::kUnknown || std::holds_alternative<Unknown>(pattern))
    return Tri::kUnknown;
  if (field == Field::kFibDevice) return fits_route(pattern, seen.text);
  if (const auto* name = std::get_if<Name>(&pattern)) {
    if (seen.kind != Seen::Kind::kText) return Tri::kUnknown;
    const bool same = name->prefix ? seen.text.starts_with(name->text) : seen.text == name->text;
    return same ? Tri::kYes : Tri::kNo;
  }
  const auto& interval = std::get<Interval>(pattern);
  // An index that is listed as a number is that of a device that is gone.
  if (seen.kind == Seen::Kind::kText) return Tri::kNo;
  bool in = inside(seen.number, interval);
  if (field == Field::kEtherType) in = in || inside(swapped16(seen.number), interval);
  return in ? Tri::kYes : Tri::kNo;
}

using Values = std::vector<Seen>;

Values look_at_all(const std::vector<Key>& keys, const Packet& packet, const RulePlace& place) {
  Values values;
  values.reserve(keys.size());
  for (const auto& key : keys) values.push_back(look_at(key, packet, place));
  return values;
}

bool any_absent(const Values& values) {
  for (const auto& value : values)
    if (value.kind == Seen::Kind::kAbsent) return true;
  return false;
}

Tri fits(const Element& element, const Values& values, const std::vector<Key>& keys) {
  if (element.patterns.size() != values.size()) return Tri::kUnknown;
  Tri all = Tri::kYes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Tri one = fits(element.patterns[i], values[i], keys[i].field);
    if (one == Tri::kNo) return Tri::kNo;
    if (one == Tri::kUnknown) all = Tri::kUnknown;
  }
  return all;
}

Tri fits_any(const std::vector<Element>& elements, const Values& values,
             const std::vector<Key>& keys) {
  Tri any = Tri::kNo;
  for (const auto& element : elements) {
    const Tri one = fits(element, values, keys);
    if (one == Tri::kYes) return one;
    if (one == Tri::kUnknown) any = one;
  }
  return any;
}

// Every relation but "is" and "is not": one number against one number.
Tri compares(Match::Relation relation, const Values& values, const std::vector<Element>& elements) {
  if (values.size() != 1 || elements.size() != 1 || elements[0].patterns.size() != 1)
    return Tri::kUnknown;
  const auto* interval = std::get_if<Interval>(elements[0].patterns.data());
  if (interval == nullptr || values[0].kind != Seen::Kind::kNumber) return Tri::kUnknown;
  const Wide seen = values[0].number;
  const Wide with = interval->first;
  switch (relation) {
    case Match::Relation::kIs:
    case Match::Relation::kIsNot:
      return Tri::kUnknown;
    case Match::Relation::kBelow:
      return tri(seen < with);
    case Match::Relation::kAbove:
      return tri(seen > with);
    case Match::Relation::kAtMost:
      return tri(seen <= with);
    case Match::Relation::kAtLeast:
      return tri(seen >= with);
    case Match::Relation::kAnyBit:
      return tri((seen & with) != 0);
    case Match::Relation::kNoBit:
      return tri((seen & with) == 0);
  }
  return Tri::kUnknown;
}

bool catches_all(const Element& element) {
  for (const auto& pattern : element.patterns)
    if (!std::holds_alternative<Anything>(pattern)) return false;
  return true;
}

}  // namespace

Tri holds(const Match& match, const std::vector<Element>& elements, const Packet& packet,
          const RulePlace& place) {
  const Values values = look_at_all(match.keys, packet, place);
  if (any_absent(values)) return Tri::kNo;
  if (match.relation == Match::Relation::kIs) return fits_any(elements, values, match.keys);
  if (match.relation == Match::Relation::kIsNot)
    return negate(fits_any(elements, values, match.keys));
  return compares(match.relation, values, elements);
}

MapAnswer look_up(const std::vector<Key>& keys, const std::vector<Element>& elements,
                  const Packet& packet, const RulePlace& place) {
  MapAnswer answer;
  const Values values = look_at_all(keys, packet, place);
  if (any_absent(values)) return answer;
  const Element* rest = nullptr;
  for (const auto& element : elements) {
    if (catches_all(element)) {
      rest = &element;
      continue;
    }
    const Tri one = fits(element, values, keys);
    if (one == Tri::kNo) continue;
    const VerdictStep verdict = element.verdict.value_or(VerdictStep{});
    // Elements do not overlap: one that surely matches is the only one.
    if (one == Tri::kYes) return {{verdict}, Tri::kNo};
    answer.verdicts.push_back(verdict);
    answer.miss = Tri::kUnknown;
  }
  if (rest == nullptr) return answer;
  answer.verdicts.push_back(rest->verdict.value_or(VerdictStep{}));
  answer.miss = Tri::kNo;
  return answer;
}

}  // namespace espial
