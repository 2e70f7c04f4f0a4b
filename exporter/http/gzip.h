// SPDX-License-Identifier: Apache-2.0
// gzip (RFC 1952), for clients that accept it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct z_stream_s;

namespace espial {

// True if an Accept-Encoding header names gzip without refusing it (RFC 9110 section 12.5.3).
bool accepts_gzip(std::string_view accept_encoding);

// Compresses a body piece by piece, so that it never exists as a whole. At the lowest level: the
// text of metrics repeats itself so much that higher ones save little.
class GzipStream {
 public:
  GzipStream();

  void add(std::string_view piece);

  // Once. The compressed body; nothing if zlib had no memory.
  [[nodiscard]] std::optional<std::string> finish();

 private:
  struct End {
    void operator()(z_stream_s* stream) const;
  };

  bool deflate_all(std::string_view piece, int flush);

  std::unique_ptr<z_stream_s, End> stream_;
  bool good_;
  std::string out_;
  std::size_t used_ = 0;  // of out_
};

// Of a whole body.
std::optional<std::string> gzip(std::string_view body);

}  // namespace espial
