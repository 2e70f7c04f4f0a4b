// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value, or the one-line message why there is none.
//
// What the environment can cause is a Result; what only a bug of ours can cause is an assert.
// A message reads "object: operation: cause (what to do)"; each layer that knows more wraps once.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace espial {

// Exit statuses of the command line, and what kind of failure an Error is.
enum class Failure {
  kUsage,   // invalid configuration or arguments: exit 2
  kUnable,  // could not find out: no permission, no BPF, no daemon: exit 3
};

struct Error {
  std::string message;
  Failure failure = Failure::kUnable;

  // "context: message", same kind of failure.
  [[nodiscard]] Error wrap(std::string_view context) && {
    message.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
};

struct Ok {};

template <typename T = Ok>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {
  }  // NOLINT(google-explicit-constructor): returning a value is the point
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {
  }  // NOLINT(google-explicit-constructor): returning an error is the point

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }

  Error& error() & {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  const Error& error() const& {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    assert(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

using Status = Result<Ok>;

}  // namespace espial

#define EP_CONCAT_(a, b) a##b
#define EP_CONCAT(a, b) EP_CONCAT_(a, b)
// EP_TRY(expr): leave the function with expr's error, if it has one.
#define EP_TRY(expr)                                                    \
  do {                                                                  \
    auto ep_try_result_ = (expr);                                       \
    if (!ep_try_result_.ok()) return std::move(ep_try_result_).error(); \
  } while (false)
// EP_ASSIGN(var, expr): declare var as expr's value, or leave with its error.
#define EP_ASSIGN(var, expr) EP_ASSIGN_(EP_CONCAT(ep_result_, __LINE__), var, expr)
#define EP_ASSIGN_(tmp, var, expr)              \
  auto tmp = (expr);                            \
  if (!tmp.ok()) return std::move(tmp).error(); \
  auto var = std::move(tmp).value()
