// SPDX-License-Identifier: Apache-2.0
// The mesh as a whole: who is encrypted with whom, who leaks, which pairs enforce.
import type { Dashboard } from "./panel.js";
import {
  bad, kBlue, kCoverage, kModes, kOrange, kProbeColours, kProbes, kSeverities, kVerdicts, kZeroIsGood,
} from "./words.js";

const kPairs = `cluster="$cluster", node=~"$node", peer=~"$peer"`;

export const overview: Dashboard = {
  uid: "espial-overview",
  title: "Espial: is the mesh encrypted?",
  description: "Who talks to whom, how much of it is encrypted, who enforces it, and what is wrong.",
  variables: ["node", "network", "peer"],
  rows: [
    {
      row: "Is all well?",
      panels: [
        {
          kind: "stat", width: 5, height: 5, unit: "percentunit", decimals: 2, words: kCoverage,
          title: "How much of what the mesh sends is encrypted?",
          description: "Packets of five minutes, of all pairs. Below 100 % the matrix says where.",
          nothing: "no traffic",
          queries: [{ expr: `espial:mesh_coverage:ratio5m{cluster="$cluster"}` }],
        },
        {
          kind: "stat", width: 5, height: 5, words: kZeroIsGood,
          title: "How many pairs are not all encrypted?",
          description: "Pairs, as either end sees them, of which a packet was in clear in five minutes.",
          queries: [{ expr: `count(espial:pair_coverage:ratio5m{${kPairs}} < 1) or vector(0)` }],
        },
        {
          kind: "stat", width: 5, height: 5, words: kZeroIsGood,
          title: "How many alerts fire?",
          description: "Of Prometheus' rules; the table below names them.",
          queries: [{
            expr: `count(ALERTS{alertname=~"Espial.+", alertstate="firing", cluster="$cluster"}) or vector(0)`,
          }],
        },
        {
          kind: "stat", width: 9, height: 5,
          title: "How many nodes are watched?",
          description: "Nodes with an espial that answers, targets that do not answer, and nodes that " +
            "others have as a peer and of which nothing is scraped.",
          runbooks: ["EspialMonitorDown", "EspialNodeUnmonitored"],
          queries: [
            { expr: `count(espial_build_info{cluster="$cluster"}) or vector(0)`, legend: "watched" },
            { expr: `count(up{job="espial", cluster="$cluster"} == 0) or vector(0)`, legend: "not answering" },
            { expr: `count(espial:node_unmonitored:bool{cluster="$cluster"}) or vector(0)`, legend: "without espial" },
          ],
        },
      ],
    },
    {
      row: "Who with whom?",
      panels: [
        {
          kind: "matrix", width: 12, height: 10, unit: "percentunit", decimals: 2, words: kCoverage, cell: "Value",
          title: "How much of what a node sends to a peer is encrypted?",
          description: "The node is the row, the peer the column; packets of five minutes. An empty " +
            "cell: nothing was sent. A click leads to the pair.",
          nothing: "no traffic",
          queries: [{ expr: `espial:pair_transmit_coverage:ratio5m{${kPairs}}` }],
        },
        {
          kind: "matrix", width: 12, height: 10, words: kVerdicts, cell: "verdict",
          title: "What does each node say about each peer?",
          description: "The verdict of the last minute. Nodes with the compact set say only leaking, " +
            "mixed and one way; an empty cell is none of them.",
          queries: [{ expr: `max by (node, peer, verdict) (espial_peer_verdict{${kPairs}}) == 1` }],
        },
        {
          kind: "matrix", width: 12, height: 10, words: kModes, cell: "mode", needs: "full",
          title: "Which pairs enforce encryption?",
          description: "Only where both ends enforce is neither disclosure nor injection possible. " +
            "`espial policy set PEER enforce` changes it.",
          runbooks: ["EspialEnforcementOneSided"],
          queries: [{ expr: `max by (node, peer, mode) (espial_peer_mode{${kPairs}}) == 1` }],
        },
        {
          kind: "table", width: 12, height: 10, unit: "pps", value: "packets in clear",
          title: "Which peers are worst?",
          description: "Packets each second that were not encrypted, both directions, as the node " +
            "sees them. `espial flows` on the node names addresses and ports.",
          columns: { node: "node", peer: "peer" },
          runbooks: ["EspialCleartextTraffic"],
          queries: [{
            expr: `topk(10, espial:pair_transmit_unprotected_packets:rate5m{${kPairs}} + ` +
              `espial:pair_receive_unprotected_packets:rate5m{${kPairs}})`,
          }],
        },
      ],
    },
    {
      row: "What is wrong?",
      panels: [
        {
          kind: "table", width: 12, height: 9, words: kSeverities, value: "",
          title: "Which alerts fire, and where?",
          description: "Of Prometheus' rules. A click leads to the runbook.",
          nothing: "no alert fires",
          columns: { severity: "severity", alertname: "alert", node: "node", peer: "peer" },
          runbookOf: "alert",
          queries: [{
            expr: `max by (severity, alertname, node, peer) (ALERTS{alertname=~"Espial.+", alertstate="firing", cluster="$cluster"})`,
          }],
        },
        {
          kind: "table", width: 12, height: 9, words: kSeverities, value: "",
          title: "Which alarms do the daemons raise?",
          description: "What each espial says by itself, without any rule. `espial alarms` on the " +
            "node shows the evidence.",
          nothing: "no alarm",
          columns: { severity: "severity", alarm: "alarm", node: "node", peer: "peer" },
          queries: [{
            expr: `max by (severity, alarm, node, peer) (espial_alarm{cluster="$cluster", node=~"$node", peer=~"$peer|"}) == 1`,
          }],
        },
        {
          kind: "table", width: 12, height: 7, needs: "full", words: bad("MISSING", "there"), value: "policy",
          title: "Where would the next packet leave in clear?",
          description: "Pairs of subnets that the topology wants protected and for which the kernel " +
            "has no policy.",
          nothing: "no policy is missing",
          runbooks: ["EspialPolicyMissing"],
          columns: { node: "node", peer: "peer", network: "network", direction: "direction" },
          queries: [{
            expr: `max by (node, peer, network, direction) (espial_peer_policy_missing{${kPairs}, network=~"$network"}) == 1`,
          }],
        },
        {
          kind: "table", width: 12, height: 7, words: bad("without espial", "watched"), value: "state",
          title: "Which nodes does nobody watch?",
          description: "Others have them as a peer, and nothing of them is scraped.",
          nothing: "all are watched",
          runbooks: ["EspialNodeUnmonitored"],
          columns: { node: "node" },
          queries: [{ expr: `espial:node_unmonitored:bool{cluster="$cluster"}` }],
        },
        {
          kind: "table", width: 12, height: 7, needs: "full", words: kProbes, value: "probe",
          title: "Between which nodes do probes not pass encrypted?",
          description: "The node sends, the peer answers; the worst of all ways between them. NOT ANSWERED is also what " +
            "left in clear and was dropped, and what has not ended yet. Only of nodes whose configuration has " +
            "`verify`. `espial verify PEER` on the node names what is in the way.",
          nothing: "none of those that are sent",
          runbooks: ["EspialProbeFailed"],
          columns: { node: "node", peer: "peer", family: "family" },
          queries: [{
            expr: `min by (node, peer, family) (espial_probe_success{${kPairs}} + espial_probe_encrypted{${kPairs}}) < 2`,
          }],
        },
        {
          kind: "lines", width: 12, height: 7, decimals: 0, colours: kProbeColours,
          title: "How do probes end?",
          description: "Ways from nodes to peers, by how the last probe of each ended; pending: none has ended yet. " +
            "Of all peers, and of nodes with the compact set, too. `espial status` on the node names the ways.",
          nothing: "no probes: no configuration has `verify`",
          runbooks: ["EspialProbeFailed"],
          queries: [{
            expr: `sum by (outcome) (espial_probe_ways{cluster="$cluster", node=~"$node"}) > 0`, legend: "{{outcome}}",
          }],
        },
      ],
    },
    {
      row: "How did it come about?",
      panels: [
        {
          kind: "lines", width: 12, height: 8, unit: "percentunit", max: 1,
          title: "How much of each node's traffic was encrypted?",
          description: "Packets of five minutes, both directions.",
          nothing: "no traffic",
          queries: [{ expr: `espial:node_coverage:ratio5m{cluster="$cluster", node=~"$node"}`, legend: "{{node}}" }],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "percentunit", max: 1,
          title: "How much of all traffic was encrypted, and how many pairs enforced it?",
          description: "Packets of five minutes, as sent; enforcement counts both ends of each pair, and " +
            "only of nodes with the full set of metrics.",
          colours: { encrypted: kBlue, enforced: kOrange },
          queries: [
            { expr: `espial:mesh_coverage:ratio5m{cluster="$cluster"}`, legend: "encrypted" },
            { expr: `espial:mesh_enforced:ratio{cluster="$cluster"}`, legend: "enforced", received: true },
          ],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "pps", needs: "full",
          title: "How much is in clear in each network?",
          description: "Packets each second, both directions. ESP hides its network, so a network has no " +
            "coverage of packets.",
          queries: [{
            expr: `espial:network_cleartext_packets:rate5m{cluster="$cluster", network=~"$network"}`, legend: "{{network}}",
          }],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "percentunit", max: 1, needs: "full",
          title: "How much of each network has policies?",
          description: "Of its pairs of subnets, both directions: below 100 % the next packet of one leaves in clear.",
          runbooks: ["EspialPolicyMissing"],
          queries: [{
            expr: `espial:network_policies:ratio{cluster="$cluster", network=~"$network"}`, legend: "{{network}}",
          }],
        },
        {
          kind: "lines", width: 24, height: 8, unit: "pps", signed: true,
          title: "Does ESP get lost, or appear from nowhere, between two nodes?",
          description: "What a node sent as ESP less what the peer received of it, packets each second: " +
            "above zero it is lost, below somebody else sent it. Only of pairs of which both ends are watched.",
          runbooks: ["EspialEspLost", "EspialEspInjected"],
          queries: [
            {
              expr: `topk(5, espial:pair_missing_esp_packets:rate5m{${kPairs}}) or bottomk(5, espial:pair_missing_esp_packets:rate5m{${kPairs}})`,
              legend: "{{node}} to {{peer}}",
            },
          ],
        },
      ],
    },
  ],
};
