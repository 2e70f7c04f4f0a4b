// SPDX-License-Identifier: Apache-2.0
// The files of the state folder: read whole, if they are to be believed (base/trusted_file.h),
// replaced atomically (write, fsync, rename), mode 0600.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/trusted_file.h"

namespace espial {

// Makes the folder (0700) if it is missing. On an error the old file is unchanged.
Status write_state_file(const std::string& folder, const std::string& path, std::string_view text);

// Replaces one file of an existing folder, whatever the folder is for.
Status replace_file(const std::string& folder, const std::string& path, std::string_view text,
                    mode_t mode = 0600);

// Renames a file that cannot be used to PATH.corrupt, so that the next read finds none and the next
// write works; `error` with what became of the file.
Error keep_aside(const std::string& path, Error error);

// One file of the state folder, whatever it says. A file that cannot be used is an Error and stays,
// as its content must not be ignored, until it is renamed.
class StateFile {
 public:
  StateFile(const std::string& state_dir, std::string_view name)
      : folder_(state_dir), path_(state_dir + "/" + std::string(name)) {}

  // What `parse` makes of the text. Nothing: there is no file.
  template <typename Value>
  [[nodiscard]] Result<std::optional<Value>> load(Result<Value> (*parse)(std::string_view)) const {
    EP_ASSIGN(text, read_file(path_, Trust::kOwners));
    if (!text) return std::optional<Value>();
    auto value = parse(*text);
    if (!value.ok()) return std::move(value).error().wrap(path_);
    return std::optional(std::move(value).value());
  }
  // As write_state_file().
  [[nodiscard]] Status save(std::string_view text) const {
    return write_state_file(folder_, path_, text);
  }
  // As keep_aside().
  [[nodiscard]] Error set_aside(Error error) const { return keep_aside(path_, std::move(error)); }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string folder_;
  std::string path_;
};

}  // namespace espial
