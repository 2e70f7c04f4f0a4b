// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/gzip.h"

#include <zlib.h>

namespace espial {

namespace {

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool refused(std::string_view parameters) {
  const std::string_view q = trim(parameters);
  return q.substr(0, 3) == "q=0" && q.find_first_not_of("0.", 2) == std::string_view::npos;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const std::string_view item = accept_encoding.substr(0, comma);
    const auto semicolon = item.find(';');
    if (trim(item.substr(0, semicolon)) == "gzip")
      return semicolon == std::string_view::npos || !refused(item.substr(semicolon + 1));
    if (comma == std::string_view::npos) break;
    accept_encoding.remove_prefix(comma + 1);
  }
  return false;
}

GzipStream::GzipStream() : stream_(new z_stream_s{}) {
  constexpr int kGzipWindow = 15 + 16;  // zlib.h, deflateInit2: 16 more writes a gzip header
  constexpr int kMemory = 8;
  good_ = deflateInit2(stream_.get(), Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemory,
                       Z_DEFAULT_STRATEGY) == Z_OK;
}

void GzipStream::End::operator()(z_stream_s* stream) const {
  deflateEnd(stream);
  delete stream;
}

void GzipStream::add(std::string_view piece) { good_ = good_ && deflate_all(piece, Z_NO_FLUSH); }

std::optional<std::string> GzipStream::finish() {
  if (!good_ || !deflate_all({}, Z_FINISH)) return std::nullopt;
  out_.resize(used_);
  out_.shrink_to_fit();
  return std::move(out_);
}

// True once zlib took all of it, and with Z_FINISH gave all of it.
bool GzipStream::deflate_all(std::string_view piece, int flush) {
  constexpr std::size_t kRoom = 32768;
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));  // only read
  stream_->avail_in = static_cast<uInt>(piece.size());
  for (;;) {
    if (used_ == out_.size()) out_.resize(used_ + kRoom);
    stream_->next_out = reinterpret_cast<Bytef*>(out_.data() + used_);
    stream_->avail_out = static_cast<uInt>(out_.size() - used_);
    const int result = deflate(stream_.get(), flush);
    used_ = out_.size() - stream_->avail_out;
    if (result == Z_STREAM_END) return true;
    if (result != Z_OK && result != Z_BUF_ERROR) return false;
    if (flush == Z_NO_FLUSH && stream_->avail_in == 0 && stream_->avail_out > 0) return true;
  }
}

std::optional<std::string> gzip(std::string_view body) {
  GzipStream stream;
  stream.add(body);
  return stream.finish();
}

}  // namespace espial
