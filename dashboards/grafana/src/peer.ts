// SPDX-License-Identifier: Apache-2.0
// One pair in depth: what one node sees of one peer.
import type { Dashboard } from "./panel.js";
import { bad, kBlue, kClassColours, kCoverage, kModes, kOrange, kProbes, kVerdicts, kVermilion } from "./words.js";

const kPair = `cluster="$cluster", node="$node", peer="$peer"`;
const kPeerless = `cluster="$cluster", node="$node", peer=~"$peer|"`;
const rate = (metric: string, matchers = kPair): string => `rate(${metric}{${matchers}}[$__rate_interval])`;

/** The encrypted share in one direction, of one family. */
const share = (direction: "transmit" | "receive"): string => {
  const packets = (matcher: string): string =>
    `sum by (family) (${rate(`espial_peer_${direction}_packets_total`, `${kPair}, class=~"${matcher}"`)})`;
  return `${packets("esp|esp_udp|esp_tcp")} / (${packets("esp|esp_udp|esp_tcp|esp_null|ah|cleartext.*")} > 0)`;
};

export const peer: Dashboard = {
  uid: "espial-peer",
  title: "Espial: what about this peer?",
  description: "Everything that one node says about one peer: both directions, classes, families, SAs, enforcement, probes.",
  variables: ["one node", "network", "one peer"],
  rows: [
    {
      row: "How does it stand?",
      panels: [
        {
          kind: "stat", width: 6, height: 5, words: kVerdicts, label: "verdict",
          title: "What is the verdict?",
          description: "Of the last minute. A node with the compact set says only leaking, mixed and one way.",
          nothing: "none of leaking, mixed, one way",
          queries: [{ expr: `max by (verdict) (espial_peer_verdict{${kPair}}) == 1` }],
        },
        {
          kind: "stat", width: 6, height: 5, words: kModes, label: "mode", needs: "full",
          title: "Does the node enforce encryption?",
          description: "`espial policy set PEER MODE` changes it.",
          queries: [{ expr: `max by (mode) (espial_peer_mode{${kPair}}) == 1` }],
        },
        {
          kind: "stat", width: 6, height: 5, unit: "dateTimeFromNow", words: [{ value: "0", text: "never", colour: kBlue }],
          title: "When was something last in clear?",
          description: "The last packet that was not encrypted, of either direction. `espial flows` names it.",
          queries: [{ expr: `max(espial_peer_last_cleartext_timestamp_seconds{${kPair}}) * 1000` }],
        },
        {
          kind: "stat", width: 6, height: 5, unit: "s", needs: "full",
          title: "How long do the SAs last?",
          description: "Until the last SA to the peer ends; a rekey comes minutes before.",
          nothing: "no SA in the kernel",
          runbooks: ["EspialSaNotRekeyed", "EspialTunnelDown"],
          queries: [{ expr: `min(espial_peer_sa_expiry_timestamp_seconds{${kPair}} > 0) - time()` }],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "percentunit", max: 1,
          title: "How much of each direction is encrypted?",
          description: "Of packets; nothing where nothing flows.",
          nothing: "no traffic",
          colours: { sent: kBlue, received: kOrange },
          queries: [
            { expr: `espial:pair_transmit_coverage:ratio5m{${kPair}}`, legend: "sent" },
            { expr: `espial:pair_receive_coverage:ratio5m{${kPair}}`, legend: "received", received: true },
          ],
        },
        {
          kind: "states", width: 12, height: 8, words: bad("yes", "no"),
          title: "Which verdicts were there?",
          description: "Each verdict of the last minute, over time.",
          queries: [{ expr: `max by (verdict) (espial_peer_verdict{${kPair}})`, legend: "{{verdict}}" }],
        },
        {
          kind: "states", width: 12, height: 7, words: kProbes, needs: "full",
          title: "Do probes of this peer arrive, and encrypted?",
          description: "The last ones, of all ways to the peer the worst. NOT ANSWERED is also what left in clear and was " +
            "dropped, and what has not ended yet. `espial verify` sends more, and names what is in the way. Probes are " +
            "small: whether large packets vanish, the alarm MtuBlackhole says.",
          nothing: "no probes: the configuration has no `verify`",
          runbooks: ["EspialProbeFailed", "EspialMtuBlackhole"],
          queries: [{
            expr: `min by (family) (espial_probe_success{${kPair}} + espial_probe_encrypted{${kPair}})`, legend: "{{family}}",
          }],
        },
        {
          kind: "lines", width: 12, height: 7, unit: "s", needs: "full", colours: { ipv4: kBlue, ipv6: kOrange },
          title: "How long do probes take?",
          description: "Round trip of the last one, of all ways to the peer the slowest that was answered; a gap: none was.",
          nothing: "none was answered",
          queries: [{ expr: `max by (family) (espial_probe_rtt_seconds{${kPair}} > 0)`, legend: "{{family}}" }],
        },
      ],
    },
    {
      row: "What is on the wire?",
      panels: [
        {
          kind: "lines", width: 12, height: 9, unit: "pps", needs: "full", colours: kClassColours,
          title: "What does the node send to the peer?",
          description: "Packets by class and family of the outermost header.",
          nothing: "nothing",
          queries: [{
            expr: `sum by (class, family) (${rate("espial_peer_transmit_packets_total")}) > 0`, legend: "{{class}} {{family}}",
          }],
        },
        {
          kind: "lines", width: 12, height: 9, unit: "pps", needs: "full", colours: kClassColours,
          title: "What does the node receive from the peer?",
          description: "Packets by class and family of the outermost header.",
          nothing: "nothing",
          queries: [{
            expr: `sum by (class, family) (${rate("espial_peer_receive_packets_total")}) > 0`, legend: "{{class}} {{family}}",
            received: true,
          }],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "percentunit", max: 1, needs: "full", words: kCoverage,
          title: "Is each family encrypted?",
          description: "The encrypted share by family of the outermost header. IPv6 forgotten is a usual leak.",
          nothing: "no traffic",
          queries: [
            { expr: share("transmit"), legend: "sent {{family}}" },
            { expr: share("receive"), legend: "received {{family}}", received: true },
          ],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "Bps",
          title: "How many bytes are encrypted, and how many are not?",
          description: "IP lengths, headers of each segment included.",
          colours: { "sent encrypted": kBlue, "received encrypted": kBlue, "sent in clear": kVermilion, "received in clear": kVermilion },
          queries: [
            { expr: `sum(${rate("espial_peer_transmit_encrypted_bytes_total")})`, legend: "sent encrypted" },
            { expr: `sum(${rate("espial_peer_transmit_unprotected_bytes_total")})`, legend: "sent in clear" },
            { expr: `sum(${rate("espial_peer_receive_encrypted_bytes_total")})`, legend: "received encrypted", received: true },
            { expr: `sum(${rate("espial_peer_receive_unprotected_bytes_total")})`, legend: "received in clear", received: true },
          ],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "pps",
          title: "Does the peer receive the ESP that the node sends?",
          description: "Packets each second, by both espials: the difference is lost, or injected.",
          nothing: "the peer is not watched",
          runbooks: ["EspialEspLost", "EspialEspInjected"],
          colours: { "sent by .*": kBlue, "received by .*": kOrange },
          queries: [
            { expr: `espial:pair_transmit_encrypted_packets:rate5m{${kPair}}`, legend: "sent by {{node}}" },
            {
              expr: `espial:pair_receive_encrypted_packets:rate5m{cluster="$cluster", node="$peer", peer="$node"}`,
              legend: "received by {{node}}", received: true,
            },
          ],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "pps", needs: "full",
          title: "What comes out of IPsec, and from whom?",
          description: "Packets that were decrypted, those whose source belongs to somebody else than " +
            "the SA, and ESP that no SA accepts.",
          runbooks: ["EspialSpoofedInner", "EspialForeignEsp", "EspialUnknownSpi"],
          colours: { "decrypted.*": kBlue, spoofed: kVermilion, "no SA": kOrange },
          queries: [
            { expr: `sum by (family) (${rate("espial_peer_receive_decrypted_packets_total")})`, legend: "decrypted {{family}}" },
            { expr: `sum(${rate("espial_peer_receive_spoofed_packets_total")})`, legend: "spoofed" },
            { expr: `sum(${rate("espial_peer_unknown_spi_packets_total")})`, legend: "no SA" },
          ],
        },
      ],
    },
    {
      row: "What protects it?",
      panels: [
        {
          kind: "lines", width: 12, height: 8, needs: "full",
          title: "Which SAs does the kernel have?",
          description: "By direction; larval ones are being negotiated, null encryption protects nothing. " +
            "None with strongSwan's ESP in user space.",
          runbooks: ["EspialNullEncryption", "EspialTunnelDown"],
          colours: { in: kBlue, out: kOrange, null_encryption: kVermilion },
          queries: [{ expr: `max by (state) (espial_peer_sas{${kPair}})`, legend: "{{state}}" }],
        },
        {
          kind: "table", width: 12, height: 8, needs: "full", words: bad("MISSING", "there"), value: "policy",
          title: "Is there a policy for each subnet?",
          description: "Pairs of subnets that the topology wants protected, by network and direction.",
          runbooks: ["EspialPolicyMissing"],
          columns: { network: "network", direction: "direction" },
          queries: [{ expr: `max by (network, direction) (espial_peer_policy_missing{${kPair}, network=~"$network"})` }],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "pps", colours: kClassColours,
          title: "What does espial drop, and why?",
          description: "In enforce. A node with the compact set gives no reasons.",
          runbooks: ["EspialEnforcementDropping"],
          queries: [
            { expr: `sum by (reason) (${rate("espial_peer_transmit_dropped_packets_total")})`, legend: "sent {{reason}}" },
            { expr: `sum by (reason) (${rate("espial_peer_receive_dropped_packets_total")})`, legend: "received {{reason}}", received: true },
          ],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "pps", needs: "full", colours: kClassColours,
          title: "What would espial drop, and what does it let pass?",
          description: "In audit what enforce would drop; in both what an exemption lets pass: a rule of " +
            "the configuration, or news of a path's MTU.",
          runbooks: ["EspialWouldDrop"],
          queries: [
            { expr: `sum by (reason) (${rate("espial_peer_transmit_would_drop_packets_total")})`, legend: "would drop, sent {{reason}}" },
            {
              expr: `sum by (reason) (${rate("espial_peer_receive_would_drop_packets_total")})`,
              legend: "would drop, received {{reason}}", received: true,
            },
            { expr: `sum by (exemption) (${rate("espial_peer_transmit_exempted_packets_total")})`, legend: "exempt, sent {{exemption}}" },
            {
              expr: `sum by (exemption) (${rate("espial_peer_receive_exempted_packets_total")})`,
              legend: "exempt, received {{exemption}}", received: true,
            },
          ],
        },
        {
          kind: "states", width: 24, height: 9, words: bad("RAISED", "quiet"),
          title: "Which alarms were raised?",
          description: "By the node, about this peer or itself. A node with the compact set names no peers.",
          queries: [{ expr: `max by (alarm) (espial_alarm{${kPeerless}})`, legend: "{{alarm}}" }],
        },
      ],
    },
  ],
};
