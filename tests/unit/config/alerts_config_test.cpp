// SPDX-License-Identifier: Apache-2.0
// The section `alerts` of espial.yaml.
#include <gtest/gtest.h>

#include "config/alerts_file.h"
#include "config/config_file.h"

namespace espial {
namespace {

std::string alerts_problems(const std::string& text) {
  std::string out;
  for (const auto& problem : parse_config(text, "f").problems) out += problem.text() + "\n";
  return out;
}

TEST(ConfigAlerts, NobodyIsToldUnlessItIsSaid) {
  const auto config = parse_alerts("alerts:\n");
  EXPECT_TRUE(config.empty());
  EXPECT_EQ(config.resend_seconds, 60u);
  EXPECT_EQ(config.collapse_above, 20u);
}

TEST(ConfigAlerts, ReadsEveryKey) {
  const std::string text = R"(
alerts:
  alertmanager:
    - url: https://alerts.example:9093/prefix
      basic_auth: {username: espial, password_file: /etc/espial/password}
      tls: {ca_file: /etc/espial/ca.pem, cert_file: /etc/espial/me.pem,
            key_file: /etc/espial/me.key, server_name: alerts}
    - url: "http://[::1]:9093"
  webhook:
    - url: http://127.0.0.1:8080/hook?queue=espial
      basic_auth: {username: espial, password_file: /etc/espial/password}
  command:
    - [/usr/local/sbin/tell, --now]
  labels: {cluster: c1, a: b}
  resend_seconds: 30
  collapse_above: 5
)";
  EXPECT_EQ(alerts_problems(text), "");
  const auto alerts = parse_alerts(text);
  ASSERT_EQ(alerts.alertmanagers.size(), 2u);
  EXPECT_EQ(alerts.alertmanagers[0],
            (ConfigHttpReceiver{"https://alerts.example:9093/prefix", "espial",
                                "/etc/espial/password", "/etc/espial/ca.pem", "/etc/espial/me.pem",
                                "/etc/espial/me.key", "alerts"}));
  EXPECT_EQ(alerts.alertmanagers[1].url, "http://[::1]:9093");
  ASSERT_EQ(alerts.webhooks.size(), 1u);
  EXPECT_EQ(alerts.commands,
            (std::vector<std::vector<std::string>>{{"/usr/local/sbin/tell", "--now"}}));
  EXPECT_EQ(alerts.labels,
            (std::vector<std::pair<std::string, std::string>>{{"a", "b"}, {"cluster", "c1"}}));
  EXPECT_EQ(alerts.resend_seconds, 30u);
  EXPECT_EQ(alerts.collapse_above, 5u);
}

TEST(ConfigAlerts, EveryMistakeIsToldAtItsLine) {
  EXPECT_EQ(
      alerts_problems(R"(alerts:
  alertmanager:
    - basic_auth: {username: a}
    - url: alerts.example:9093
    - url: https://alerts.example:99999
    - url: http://alerts.example
      tls: {cert_file: /c}
      basic_auth: {username: "a:b", password_file: /p}
    - url: https://h/?q
      tls: {server_name: "a/b", ca_file: ca.pem}
    - nothing
  webhook:
    url: http://h
  command:
    - tell
    - [tell]
  labels: {node: x, 1a: y, b: ""}
  resend_seconds: 1
  colour: red
)"),
      R"(f:3: alerts.alertmanager[0]: a receiver needs a url (for example https://alerts.example:9093)
f:3: alerts.alertmanager[0].basic_auth: basic_auth needs username and password_file
f:4: alerts.alertmanager[1].url: "alerts.example:9093" is not a URL (for example https://alerts.example:9093)
f:5: alerts.alertmanager[2].url: "https://alerts.example:99999" is not a URL (for example https://alerts.example:9093)
f:7: alerts.alertmanager[3].tls: tls is for a URL that begins with https://
f:7: alerts.alertmanager[3].tls: cert_file and key_file belong together (give both or none)
f:8: alerts.alertmanager[3].basic_auth: the password would travel in clear (use https://, or a proxy on this host)
f:8: alerts.alertmanager[3].basic_auth.username: a username has no colon
f:9: alerts.alertmanager[4].url: an Alertmanager's URL has no query and no fragment
f:10: alerts.alertmanager[4].tls.ca_file: "ca.pem" is not an absolute path (start it with /)
f:10: alerts.alertmanager[4].tls.server_name: "a/b" is not a host name
f:11: alerts.alertmanager[5]: a receiver is a map (url, basic_auth, tls)
f:12: alerts.webhook: expected a list, found a map (write [a, b] or one "- a" per line)
f:15: alerts.command[0]: a command is a list of words: [/path/of/program, argument]
f:16: alerts.command[1][0]: "tell" is not an absolute path (start it with /)
f:16: alerts.command[1]: a command is a list of words: [/path/of/program, argument]
f:17: alerts.labels: "node" is a label of espial's own (choose another)
f:17: alerts.labels: "1a" is not the name of a label (a-z A-Z 0-9 _, no digit first, no __ first, at most 64)
f:17: alerts.labels: "" is not a label's value (1 to 128 printable ASCII characters)
f:18: alerts.resend_seconds: "1" is not a whole number from 5 to 3600
f:19: alerts.colour: unknown key (known here: alertmanager, webhook, command, labels, resend_seconds, collapse_above)
)");
}

TEST(ConfigAlerts, APasswordInAUrlIsRefusedAndNeverQuoted) {
  const auto text = alerts_problems("alerts: {webhook: [{url: 'https://h:sesame@h/'}]}\n");
  EXPECT_EQ(text,
            "f:1: alerts.webhook[0].url: a URL must not hold a user or a password (use "
            "basic_auth)\n");
}

TEST(ConfigAlerts, ThereIsABoundForEverything) {
  std::string text = "alerts:\n  webhook:\n";
  for (int i = 0; i < 9; ++i) text += "    - url: http://h\n";
  EXPECT_EQ(alerts_problems(text), "f:11: alerts.webhook[8]: 9 webhooks are listed (at most 8)\n");
}

}  // namespace
}  // namespace espial
