// SPDX-License-Identifier: Apache-2.0
#include "config/document_count.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

namespace espial {
namespace {

// Remembers where the last document started; everything else is ignored.
class StartLine final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { line_ = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  [[nodiscard]] int line() const { return line_; }

 private:
  int line_ = 0;
};

}  // namespace

std::optional<int> second_document_line(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  StartLine handler;
  if (!parser.HandleNextDocument(handler) || !parser.HandleNextDocument(handler))
    return std::nullopt;
  return handler.line();
}

}  // namespace espial
