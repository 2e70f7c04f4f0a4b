// SPDX-License-Identifier: Apache-2.0
// Why packets of the mesh are lost: firewall, kernel, enforcement, XFRM, MTU.
import type { Dashboard } from "./panel.js";
import { kBlue, kClassColours, kOrange, kVermilion } from "./words.js";

const kNode = `cluster="$cluster", node=~"$node"`;
const kPairs = `${kNode}, peer=~"$peer|"`;
const rate = (metric: string, matchers = kPairs): string => `rate(${metric}{${matchers}}[$__rate_interval])`;

export const drops: Dashboard = {
  uid: "espial-drops",
  title: "Espial: why are packets lost?",
  description: "FORWARD and other firewall hooks, the kernel's reasons, enforcement, XFRM's errors, path MTU.",
  variables: ["node", "peer"],
  rows: [
    {
      row: "Is it the firewall?",
      panels: [
        {
          kind: "lines", width: 12, height: 9, unit: "pps",
          title: "In which hook does the firewall drop packets of the mesh?",
          description: "Netfilter's drops by hook. `espial doctor` names the rule and what fixes it.",
          runbooks: ["EspialForwardDrops"],
          colours: {
            forward: kVermilion, "forward_or_postrouting|postrouting": kOrange, "input|output.*|prerouting": kBlue,
          },
          queries: [{ expr: `sum by (hook) (${rate("espial_netfilter_dropped_packets_total")})`, legend: "{{hook}}" }],
        },
        {
          kind: "table", width: 12, height: 9, value: "packets", decimals: 0,
          title: "Whose packets does the firewall drop?",
          description: "In the time that is shown. Nodes with the compact set name no peer.",
          columns: { node: "node", peer: "peer", family: "family", hook: "hook" },
          queries: [{
            expr: `topk(20, sum by (node, peer, family, hook) (increase(espial_netfilter_dropped_packets_total{${kPairs}}[$__range])))`,
          }],
        },
      ],
    },
    {
      row: "Is it the kernel?",
      panels: [
        {
          kind: "lines", width: 12, height: 9, unit: "pps",
          title: "For which reasons does the kernel drop packets of the mesh?",
          description: "By the kernel's own names. `espial doctor` explains them.",
          nothing: "nothing was dropped",
          queries: [{ expr: `sum by (reason) (${rate("espial_kernel_dropped_packets_total")})`, legend: "{{reason}}" }],
        },
        {
          kind: "lines", width: 12, height: 9, unit: "pps",
          title: "What does XFRM refuse?",
          description: "The counters of /proc/net/xfrm_stat that grow most. The kernel tells no peer.",
          runbooks: ["EspialXfrmErrors"],
          queries: [{ expr: `topk(8, sum by (error) (${rate("espial_xfrm_errors_total", kNode)}))`, legend: "{{error}}" }],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "pps", needs: "full",
          title: "Who sends ESP that no SA accepts?",
          description: "The node lost its SAs (a reboot without DPD), or the packets are forged.",
          runbooks: ["EspialUnknownSpi"],
          queries: [{
            expr: `topk(10, sum by (node, peer) (${rate("espial_peer_unknown_spi_packets_total")}))`, legend: "{{peer}} to {{node}}",
          }],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "pps",
          title: "Which packets are too big for their path?",
          description: "Those that the kernel drops for their size. What tells the sender of it passes enforcement: " +
            "the second query, of nodes with the full set.",
          nothing: "none",
          colours: { ".*dropped": kVermilion, ".*told": kBlue },
          queries: [
            {
              expr: `sum by (node) (${rate("espial_kernel_dropped_packets_total", `${kPairs}, reason=~"PKT_TOO_BIG|.*FRAG.*"`)})`,
              legend: "{{node}} dropped",
            },
            {
              expr: `sum by (node) (${rate("espial_peer_transmit_exempted_packets_total", `${kPairs}, exemption="pmtu"`)}) + ` +
                `sum by (node) (${rate("espial_peer_receive_exempted_packets_total", `${kPairs}, exemption="pmtu"`)})`,
              legend: "{{node}} told",
            },
          ],
        },
      ],
    },
    {
      row: "Is it enforcement?",
      panels: [
        {
          kind: "lines", width: 12, height: 9, unit: "pps", colours: kClassColours,
          title: "What does espial drop of peers that are enforced?",
          description: "Unprotected packets of peers in enforce. A node with the compact set gives no reasons.",
          runbooks: ["EspialEnforcementDropping"],
          queries: [
            { expr: `sum by (reason) (${rate("espial_peer_transmit_dropped_packets_total")})`, legend: "sent {{reason}}" },
            { expr: `sum by (reason) (${rate("espial_peer_receive_dropped_packets_total")})`, legend: "received {{reason}}", received: true },
          ],
        },
        {
          kind: "lines", width: 12, height: 9, unit: "pps", needs: "full", colours: kClassColours,
          title: "What would espial drop of peers in audit?",
          description: "Look here before you enforce.",
          runbooks: ["EspialWouldDrop"],
          queries: [
            { expr: `sum by (reason) (${rate("espial_peer_transmit_would_drop_packets_total")})`, legend: "sent {{reason}}" },
            { expr: `sum by (reason) (${rate("espial_peer_receive_would_drop_packets_total")})`, legend: "received {{reason}}", received: true },
          ],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "pps",
          title: "What is dropped of nodes that nobody knows?",
          description: "Backend addresses of no configured node.",
          runbooks: ["EspialUnknownNode"],
          queries: [
            { expr: `sum by (node, reason) (${rate("espial_no_peer_transmit_dropped_packets_total", kNode)})`, legend: "{{node}} sent {{reason}}" },
            {
              expr: `sum by (node, reason) (${rate("espial_no_peer_receive_dropped_packets_total", kNode)})`,
              legend: "{{node}} received {{reason}}", received: true,
            },
          ],
        },
        {
          kind: "lines", width: 12, height: 8,
          title: "Do the kernel's own policies stand behind enforcement?",
          description: "XFRM policies of the backstop: wanted, and there. Both are 0 unless it is configured.",
          colours: { ".*wanted": kOrange, ".*there": kBlue },
          queries: [
            { expr: `espial_xfrm_block_policies_wanted{${kNode}}`, legend: "{{node}} wanted" },
            { expr: `espial_xfrm_block_policies{${kNode}}`, legend: "{{node}} there", received: true },
          ],
        },
      ],
    },
    {
      row: "Is it the way between?",
      panels: [
        {
          kind: "lines", width: 24, height: 8, unit: "pps", signed: true,
          title: "Which pairs lose ESP between them?",
          description: "What a node sent as ESP less what the peer received: above zero it is lost. Only of " +
            "pairs of which both ends are watched.",
          runbooks: ["EspialEspLost"],
          queries: [{
            expr: `topk(10, espial:pair_missing_esp_packets:rate5m{cluster="$cluster", node=~"$node", peer=~"$peer"})`,
            legend: "{{node}} to {{peer}}",
          }],
        },
      ],
    },
  ],
};
