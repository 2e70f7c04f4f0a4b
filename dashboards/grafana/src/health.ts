// SPDX-License-Identifier: Apache-2.0
// Whether the watcher itself works: scrapes, programs, maps, sources, what was lost.
import type { Dashboard } from "./panel.js";
import { good, kOrange, kVermilion } from "./words.js";

const kNode = `cluster="$cluster", node=~"$node"`;

export const health: Dashboard = {
  uid: "espial-health",
  title: "Espial: does the watcher itself work?",
  description: "Scrapes, attached programs, devices, maps, sources, and what could not be counted.",
  variables: ["node"],
  rows: [
    {
      row: "Is it there?",
      panels: [
        {
          kind: "states", width: 12, height: 8, words: good("answers", "SILENT"),
          title: "Does every espial answer?",
          description: "Scrapes of each target. Programs in the kernel go on counting and dropping without the daemon.",
          runbooks: ["EspialMonitorDown"],
          queries: [{ expr: `max by (node, instance) (up{job="espial", ${kNode}})`, legend: "{{node}} {{instance}}" }],
        },
        {
          kind: "table", width: 6, height: 8, value: "",
          title: "Which build runs where?",
          description: "Versions should be the same but for an upgrade under way.",
          columns: { node: "node", version: "version" },
          queries: [{ expr: `max by (node, version) (espial_build_info{${kNode}})` }],
        },
        {
          kind: "table", width: 6, height: 8, words: good("accepted", "REJECTED"), value: "configuration",
          title: "Was the last configuration accepted?",
          description: "If not, the one before it is in force.",
          runbooks: ["EspialConfigRejected"],
          columns: { node: "node" },
          queries: [{ expr: `min by (node) (espial_config_last_reload_successful{${kNode}})` }],
        },
      ],
    },
    {
      row: "Does it see everything?",
      panels: [
        {
          kind: "table", width: 12, height: 9, words: good("attached", "MISSING"), value: "program",
          title: "Is every device watched?",
          description: "Espial's program at each hook of each device, and how it is attached.",
          runbooks: ["EspialProgramDetached", "EspialXdpUnavailable"],
          columns: { node: "node", device: "device", hook: "hook", mode: "mode" },
          queries: [{ expr: `min by (node, device, hook, mode) (espial_program_attached{${kNode}})` }],
        },
        {
          kind: "lines", width: 12, height: 9, unit: "s",
          title: "How long were devices without their programs?",
          description: "Seconds, in the time that is shown: a new device, or somebody removed them.",
          runbooks: ["EspialProgramDetached"],
          queries: [{ expr: `increase(espial_device_gap_seconds_total{${kNode}}[$__range])`, legend: "{{node}}" }],
        },
        {
          kind: "table", width: 12, height: 8, words: good("works", "DOWN"), value: "source",
          title: "Which sources of facts work?",
          description: "What a source that is down would have told is not judged.",
          runbooks: ["EspialSourceDown"],
          columns: { node: "node", source: "name" },
          queries: [{ expr: `min by (node, source) (espial_source_up{${kNode}})` }],
        },
        {
          kind: "lines", width: 12, height: 8,
          title: "What could not be counted or told?",
          description: "Each second. Flows that are lost are only missing in the list of flows; " +
            "no_table and no_counter are packets that were not judged.",
          runbooks: ["EspialEventsLost"],
          colours: { ".*(no_table|no_counter)": kVermilion, ".*flow.*": kOrange },
          queries: [{
            expr: `sum by (node, what) (rate(espial_lost_total{${kNode}}[$__rate_interval]))`, legend: "{{node}} {{what}}",
          }],
        },
        {
          kind: "lines", width: 24, height: 8, unit: "pps", needs: "full",
          title: "Which frames could the parser not read to their end?",
          description: "Frames by the parser's outcome: later_fragment and not_ip are no mistakes.",
          queries: [{
            expr: `topk(10, sum by (node, outcome) (rate(espial_parse_outcomes_total{${kNode}}[$__rate_interval])))`,
            legend: "{{node}} {{outcome}}",
          }],
        },
      ],
    },
    {
      row: "Is anybody told?",
      panels: [
        {
          kind: "lines", width: 12, height: 8,
          title: "Do the daemons' alarms reach their receivers?",
          description: "Messages each second, by receiver of `alerts` in espial.yaml and how they ended.",
          nothing: "no receiver is configured",
          colours: { ".*failed": kVermilion },
          queries: [{
            expr: `sum by (node, receiver, result) (rate(espial_notifications_total{${kNode}}[$__rate_interval]))`,
            legend: "{{node}} {{receiver}} {{result}}",
          }],
        },
        {
          kind: "lines", width: 12, height: 8,
          title: "Which messages wait, and which were given up?",
          description: "What waits for a receiver that is away, and what did not fit and was dropped in the time that is shown.",
          nothing: "no receiver is configured",
          runbooks: ["EspialNotificationsDropped"],
          colours: { ".*dropped": kVermilion },
          queries: [
            { expr: `espial_notifications_waiting{${kNode}}`, legend: "{{node}} {{receiver}} waiting" },
            {
              expr: `increase(espial_notifications_dropped_total{${kNode}}[$__range])`, legend: "{{node}} {{receiver}} dropped",
              received: true,
            },
          ],
        },
      ],
    },
    {
      row: "What does it cost?",
      panels: [
        {
          kind: "lines", width: 12, height: 8, unit: "percentunit", max: 1,
          title: "How full are the maps?",
          description: "Beyond its capacity a map takes no more peers or prefixes (`max_peers`).",
          runbooks: ["EspialMapNearlyFull"],
          queries: [{
            expr: `espial_map_entries{${kNode}} / on (cluster, node, instance, map) espial_map_max_entries{${kNode}}`,
            legend: "{{node}} {{map}}",
          }],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "s",
          title: "How long does a scrape take?",
          description: "Prometheus' own measure, the network included.",
          queries: [{ expr: `scrape_duration_seconds{job="espial", ${kNode}}`, legend: "{{node}}" }],
        },
        {
          kind: "lines", width: 12, height: 8,
          title: "How many series does a scrape bring?",
          description: "Before relabelling. Above 64 peers a node exports the compact set.",
          queries: [{ expr: `scrape_samples_scraped{job="espial", ${kNode}}`, legend: "{{node}}" }],
        },
        {
          kind: "lines", width: 12, height: 8, unit: "s",
          title: "How old is what is shown?",
          description: "Since the counters were last read: a second, and what a scrape waits for.",
          runbooks: ["EspialSnapshotStale"],
          queries: [{ expr: `time() - espial_snapshot_timestamp_seconds{${kNode}}`, legend: "{{node}}" }],
        },
      ],
    },
  ],
};
