// SPDX-License-Identifier: Apache-2.0
// generate [--check]   writes each dashboard beside package.json, or says which one is not as it
// would be written. A query that names an unknown metric or label, or a runbook that does not
// exist, is a fault: nothing is written.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { drops } from "./drops.js";
import { health } from "./health.js";
import { overview } from "./overview.js";
import type { Dashboard } from "./panel.js";
import { peer } from "./peer.js";
import { catalogue, faults, type Catalogue } from "./promql.js";
import { toGrafana } from "./render.js";

const kFolder = fileURLToPath(new URL("..", import.meta.url));
const kRoot = fileURLToPath(new URL("../../..", import.meta.url));
const kDashboards = [overview, peer, drops, health];

function faultsOf(value: Dashboard, known: Catalogue): string[] {
  const found: string[] = [];
  for (const panel of value.rows.flatMap((row) => row.panels)) {
    const told = (fault: string): string => `${value.uid}: ${panel.title} ${fault}`;
    if (!panel.title.endsWith("?")) found.push(told("is no question"));
    for (const query of panel.queries) {
      // A query beside others may be the full set's alone; the panel says which.
      const full = panel.needs === "full" || panel.queries.length > 1 && panel.description.includes("full set");
      found.push(...faults(query.expr, full, known).map(told));
    }
    for (const name of panel.runbooks ?? []) {
      if (!existsSync(`${kRoot}dashboards/runbooks/${name}.md`)) found.push(told(`leads to no runbook ${name}`));
    }
  }
  return found;
}

function main(check: boolean): number {
  const known = catalogue(`${kRoot}tests/golden`, `${kRoot}dashboards/rules/espial.rules.yml`);
  const found = kDashboards.flatMap((value) => faultsOf(value, known));
  let panels = 0;
  for (const value of found.length === 0 ? kDashboards : []) {
    const path = `${kFolder}${value.uid}.json`;
    const text = `${JSON.stringify(toGrafana(value), null, 1)}\n`;
    panels += value.rows.reduce((sum, row) => sum + row.panels.length, 0);
    if (!check) writeFileSync(path, text);
    else if (!existsSync(path) || readFileSync(path, "utf8") !== text) {
      found.push(`${value.uid}.json: not what the description makes (npm run generate)`);
    }
  }
  found.forEach((fault) => console.error(fault));
  console.log(`${kDashboards.length} dashboards, ${panels} panels, ${found.length} faults`);
  return found.length === 0 ? 0 : 1;
}

process.exitCode = main(process.argv.includes("--check"));
