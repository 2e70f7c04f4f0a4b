// SPDX-License-Identifier: Apache-2.0
#include "exporter/notify/http_post.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/printable.h"
#include "exporter/notify/secret_file.h"

namespace espial {
namespace {

constexpr std::size_t kQuoted = 120;  // of an answer that is an error
constexpr int kPollMs = 1000;

// libcurl's own sockets would be inherited by commands that another thread starts.
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// The host and the port of a URL, as its owner wrote them; the configuration has checked its form.
std::string authority(const std::string& url) {
  const auto begin = url.find("//") + 2;
  return url.substr(begin, std::min(url.find_first_of("/?", begin), url.size()) - begin);
}

std::string port_of(const std::string& url, const std::string& place) {
  const auto colon = place.rfind(':');
  if (colon != std::string::npos && place.find(']', colon) == std::string::npos)
    return place.substr(colon + 1);
  return url.compare(0, 6, "https:") == 0 ? "443" : "80";
}

}  // namespace

struct HttpPost::Curl {
  CURLM* multi = nullptr;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  curl_slist* connect_to = nullptr;
  std::atomic<bool> stopped{false};
  std::size_t most = 0;
  std::size_t got = 0;
  std::string start;  // of the answer's body
  std::array<char, CURL_ERROR_SIZE> message{};

  // Returns less than was given: libcurl gives up.
  static std::size_t take(char* data, std::size_t size, std::size_t count, void* self) {
    auto* curl = static_cast<Curl*>(self);
    curl->got += size * count;
    if (curl->start.size() < kQuoted)
      curl->start.append(data, std::min(size * count, kQuoted - curl->start.size()));
    return curl->got > curl->most ? 0 : size * count;
  }
  static std::size_t take_head(char*, std::size_t size, std::size_t count, void* self) {
    auto* curl = static_cast<Curl*>(self);
    curl->got += size * count;
    return curl->got > curl->most ? 0 : size * count;
  }

  // Until it is answered, fails or is stopped.
  Status perform() {
    got = 0;
    start.clear();
    message[0] = 0;
    if (curl_multi_add_handle(multi, easy) != CURLM_OK) return Error{"libcurl: no memory"};
    auto done = wait();
    curl_multi_remove_handle(multi, easy);
    return done;
  }

  Status wait() {
    for (int running = 1; running > 0;) {
      if (stopped) return Error{"stopped"};
      auto code = curl_multi_perform(multi, &running);
      if (code == CURLM_OK && running > 0)
        code = curl_multi_poll(multi, nullptr, 0, kPollMs, nullptr);
      if (code != CURLM_OK) return Error{std::string("libcurl: ") + curl_multi_strerror(code)};
    }
    int left = 0;
    const CURLMsg* result = curl_multi_info_read(multi, &left);
    if (result == nullptr) return Error{"libcurl: no result"};
    if (got > most) return Error{"answers more than " + std::to_string(most) + " bytes"};
    if (result->data.result != CURLE_OK)
      return Error{
          printable(message[0] != 0 ? message.data() : curl_easy_strerror(result->data.result))};
    return judge();
  }

  Status judge() const {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) return Ok{};
    std::string text = "answers " + std::to_string(status);
    if (status == 401 || status == 403)
      text += " (check basic_auth)";
    else if (status >= 300 && status < 400)
      text += ": redirects are not followed (give the final url)";
    else if (const auto line = start.substr(0, start.find('\n')); !line.empty())
      text += ": " + printable(line);
    return Error{std::move(text)};
  }
};

void HttpPost::FreeCurl::operator()(Curl* curl) const {
  if (curl->easy != nullptr) curl_easy_cleanup(curl->easy);
  if (curl->multi != nullptr) curl_multi_cleanup(curl->multi);
  curl_slist_free_all(curl->headers);
  curl_slist_free_all(curl->connect_to);
  delete curl;
  curl_global_cleanup();
}

HttpPost::HttpPost(ConfigHttpReceiver receiver, std::string url, HttpPostLimits limits)
    : receiver_(std::move(receiver)), url_(std::move(url)), limits_(limits) {}

Result<HttpPost> HttpPost::open(ConfigHttpReceiver receiver, std::string url,
                                HttpPostLimits limits) {
  HttpPost out(std::move(receiver), std::move(url), limits);
  // Counted by libcurl; thread-safe since 7.84.
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return Error{"libcurl: cannot start"};
  out.curl_.reset(new Curl);
  Curl& curl = *out.curl_;
  curl.multi = curl_multi_init();
  curl.easy = curl_easy_init();
  if (curl.multi == nullptr || curl.easy == nullptr) return Error{"libcurl: no memory"};
  curl_multi_setopt(curl.multi, CURLMOPT_MAXCONNECTS, 1L);
  curl.headers = curl_slist_append(curl.headers, "Content-Type: application/json");
  // No round trip before the body.
  curl.headers = curl_slist_append(curl.headers, "Expect:");
  if (!out.receiver_.server_name.empty()) {
    const auto place = authority(out.url_);
    const auto port = port_of(out.url_, place);
    const bool has_port =
        place.size() > port.size() && place.compare(place.size() - port.size() - 1, 1, ":") == 0;
    curl.headers = curl_slist_append(curl.headers, ("Host: " + place).c_str());
    // The certificate's name is in the URL, the place to connect to beside it.
    curl.connect_to =
        curl_slist_append(nullptr, ("::" + (has_port ? place : place + ":" + port)).c_str());
    out.url_ = "https://" + out.receiver_.server_name + ":" + port +
               out.url_.substr(out.url_.find("//") + 2 + place.size());
  }
  return out;
}

Status HttpPost::prepare() {
  CURL* easy = curl_->easy;
  curl_easy_reset(easy);
  curl_->most = limits_.answer;
  curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a resolver that hangs does not hold us up
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(limits_.total.count()));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "espial");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, curl_->headers);
  curl_easy_setopt(easy, CURLOPT_CONNECT_TO, curl_->connect_to);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_->message.data());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, Curl::take);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, curl_.get());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, Curl::take_head);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, curl_.get());
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  const auto file = [&](CURLoption option, const std::string& path) {
    if (!path.empty()) curl_easy_setopt(easy, option, path.c_str());
  };
  file(CURLOPT_CAINFO, receiver_.ca_file);
  // Debian's libcurl would go on trusting the system's authorities beside it.
  if (!receiver_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  file(CURLOPT_SSLCERT, receiver_.cert_file);
  file(CURLOPT_SSLKEY, receiver_.key_file);
  if (!receiver_.key_file.empty()) EP_TRY(check_secret_file(receiver_.key_file));
  if (receiver_.username.empty()) return Ok{};
  EP_ASSIGN(password, read_secret(receiver_.password_file));
  curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
  curl_easy_setopt(easy, CURLOPT_USERNAME, receiver_.username.c_str());
  curl_easy_setopt(easy, CURLOPT_PASSWORD, reinterpret_cast<const char*>(password.data()));
  return Ok{};
}

Status HttpPost::post(const std::string& body) {
  EP_TRY(prepare());
  curl_easy_setopt(curl_->easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl_->easy, CURLOPT_POSTFIELDS, body.data());
  return curl_->perform();
}

void HttpPost::stop() {
  curl_->stopped = true;
  curl_multi_wakeup(curl_->multi);
}

}  // namespace espial
