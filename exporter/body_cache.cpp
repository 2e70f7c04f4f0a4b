// SPDX-License-Identifier: Apache-2.0
#include "exporter/body_cache.h"

#include <utility>

#include "exporter/gzip.h"

namespace espial {

BodyCache::Body BodyCache::get(const std::shared_ptr<const Report>& report, bool accepts_gzip,
                               const std::function<std::string()>& render) {
  // A weak pointer compares by what it points to while that lives; a dead one matches nothing, so
  // a new report at the address of an old one is not mistaken for it.
  if (!report || report_.lock() != report) {
    report_ = report;
    plain_.reset();
    packed_.reset();
  }
  if (!accepts_gzip) {
    if (!plain_) plain_ = std::make_shared<const std::string>(render());
    return {plain_, false};
  }
  if (!packed_) {
    std::string text = plain_ ? *plain_ : render();
    auto packed = gzip(text);
    if (!packed) return {std::make_shared<const std::string>(std::move(text)), false};
    packed_ = std::make_shared<const std::string>(std::move(*packed));
  }
  return {packed_, true};
}

}  // namespace espial
