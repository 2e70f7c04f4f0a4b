// SPDX-License-Identifier: Apache-2.0
// Whether a query is PromQL, and names only metrics and labels that exist: Prometheus' own grammar
// over the expositions that espial's tests promise.
import { readFileSync } from "node:fs";

import type { SyntaxNode, Tree } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";

/** Labels that every target has (dashboards/prometheus). */
const kTarget = ["cluster", "node", "instance", "job"];
/** Of Prometheus itself. */
const kPrometheus: Readonly<Record<string, readonly string[]>> = {
  up: kTarget,
  scrape_duration_seconds: kTarget,
  scrape_samples_scraped: kTarget,
  ALERTS: [...kTarget, "alertname", "alertstate", "severity", "peer"],
};

export interface Catalogue {
  /** Labels by metric. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
  /** Metrics of which the compact set has nothing. */
  readonly fullOnly: ReadonlySet<string>;
}

function exposition(path: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const sample = /^(espial_\w+)(?:\{(.*)\})? /.exec(line);
    if (!sample?.[1]) continue;
    const labels = found.get(sample[1]) ?? new Set(kTarget);
    for (const label of (sample[2] ?? "").matchAll(/(\w+)="/g)) labels.add(label[1] ?? "");
    found.set(sample[1], labels);
  }
  return found;
}

/** Recorded series: what is recorded, and the labels that its first aggregation keeps; a rule that is made
 * of recorded series has the labels that its name says, `espial:pair_…` or `espial:node_…`. */
function recorded(rules: string): Map<string, Set<string>> {
  const named: Readonly<Record<string, string[]>> = {
    pair: ["cluster", "node", "peer"], node: ["cluster", "node"], mesh: ["cluster"], network: ["cluster", "network"],
  };
  const found = new Map<string, Set<string>>();
  for (const rule of readFileSync(rules, "utf8").matchAll(/^ *- record: (espial:([a-z]+)_\S+)$/gm)) {
    found.set(rule[1] ?? "", new Set(named[rule[2] ?? ""] ?? []));
  }
  return found;
}

export function catalogue(golden: string, rules: string): Catalogue {
  const full = exposition(`${golden}/metrics.prom`);
  const compact = exposition(`${golden}/metrics_compact.prom`);
  const own = Object.entries(kPrometheus).map(([name, labels]) => [name, new Set(labels)] as const);
  return {
    labels: new Map<string, Set<string>>([...own, ...recorded(rules), ...compact, ...full]),
    fullOnly: new Set([...full.keys()].filter((name) => !compact.has(name))),
  };
}

/** The query as Prometheus gets it, as far as the grammar minds. */
function filled(expr: string): string {
  return expr.replaceAll("$__rate_interval", "1m").replaceAll("$__range", "1h");
}

function nodes(tree: Tree, name: string): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  tree.iterate({ enter: (node) => { if (node.name === name) found.push(node.node); } });
  return found;
}

function metrics(tree: Tree, text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const selector of nodes(tree, "VectorSelector")) {
    const identifier = selector.getChild("Identifier");
    const name = identifier ? text.slice(identifier.from, identifier.to) : "";
    const labels = [...text.slice(selector.from, selector.to).matchAll(/[{,]\s*(\w+)\s*[=!]/g)];
    found.set(name, [...(found.get(name) ?? []), ...labels.map((label) => label[1] ?? "")]);
  }
  return found;
}

/** Everything that is wrong with a query, in words; `full`: it may need the full set. */
export function faults(expr: string, full: boolean, known: Catalogue): string[] {
  const text = filled(expr);
  const tree = parser.parse(text);
  const broken = nodes(tree, "⚠");
  if (broken[0]) return [`no PromQL at "${text.slice(broken[0].from)}"`];
  const found: string[] = [];
  const used = metrics(tree, text);
  const available = new Set<string>();
  for (const [name, matchers] of used) {
    const labels = known.labels.get(name);
    if (!labels) found.push(`nobody exports or records ${name || "a series without a name"}`);
    else found.push(...matchers.filter((label) => !labels.has(label)).map((label) => `${name} has no label ${label}`));
    labels?.forEach((label) => available.add(label));
    if (known.fullOnly.has(name) && !full) found.push(`${name} is not in the compact set, and the panel does not say so`);
  }
  for (const grouping of nodes(tree, "LabelName").filter((node) => node.parent?.name === "GroupingLabels")) {
    const label = text.slice(grouping.from, grouping.to);
    if (!available.has(label)) found.push(`no metric of the query has the label ${label}`);
  }
  return found;
}
