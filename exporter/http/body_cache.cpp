// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/body_cache.h"

#include <utility>

#include "exporter/http/gzip.h"

namespace espial {

BodyCache::Body BodyCache::get(const std::shared_ptr<const Report>& report, bool accepts_gzip,
                               const Render& render) {
  // A weak pointer compares by what it points to while that lives; a dead one matches nothing, so
  // a new report at the address of an old one is not mistaken for it.
  if (!report || report_.lock() != report) {
    report_ = report;
    packed_.reset();
    // Whoever still sends the old text keeps it. A megabyte given back to the allocator would cost
    // more page faults at the next report than rendering it.
    if (plain_ && !accepts_gzip && plain_.use_count() == 1) spare_ = std::move(*plain_);
    plain_.reset();
  }
  if (!accepts_gzip) return plain(render);
  if (!packed_) {
    GzipStream stream;
    if (plain_)
      stream.add(*plain_);
    else
      render([&](std::string_view piece) { stream.add(piece); });
    auto packed = stream.finish();
    if (!packed) return plain(render);
    packed_ = std::make_shared<const std::string>(std::move(*packed));
  }
  return {packed_, true};
}

BodyCache::Body BodyCache::plain(const Render& render) {
  if (!plain_) {
    std::string text = std::exchange(spare_, {});
    text.clear();
    if (text.capacity() < size_) text.reserve(size_ + size_ / 16);
    render([&](std::string_view piece) { text += piece; });
    size_ = text.size();
    plain_ = std::make_shared<std::string>(std::move(text));
  }
  return {plain_, false};
}

}  // namespace espial
