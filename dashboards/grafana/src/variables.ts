// SPDX-License-Identifier: Apache-2.0
// What a reader chooses at the top of a dashboard.
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";

import type { Variable } from "./panel.js";

type Builder = { build(): dashboard.VariableModel };

/** Where Grafana's users find the runbooks unless they say otherwise (README.md). */
const kRunbooks = "/public/espial/runbooks";

function choice(name: string, metric: string, several: boolean): dashboard.QueryVariableBuilder {
  const query = `label_values(${metric}, ${name})`;
  const builder = new dashboard.QueryVariableBuilder(name).label(name).definition(query)
    .query({ qryType: 1, query, refId: `variable-${name}` })
    .datasource({ type: "prometheus", uid: "${datasource}" })
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged).sort(dashboard.VariableSort.AlphabeticalAsc);
  return several
    ? builder.multi(true).includeAll(true).allValue(".*").current({ selected: true, text: ["All"], value: ["$__all"] })
    : builder;
}

function variable(name: Variable): Builder {
  const sent = `espial_peer_transmit_encrypted_packets_total{cluster="$cluster", node=~"$node"}`;
  switch (name) {
    case "node": return choice("node", `espial_build_info{cluster="$cluster"}`, true);
    case "one node": return choice("node", `espial_build_info{cluster="$cluster"}`, false);
    case "network": return choice("network", `espial_peer_policy_missing{cluster="$cluster"}`, true);
    case "peer": return choice("peer", sent, true);
    case "one peer": return choice("peer", sent, false);
  }
}

export function variablesOf(names: readonly Variable[]): Builder[] {
  return [
    new dashboard.DatasourceVariableBuilder("datasource").label("data source").type("prometheus"),
    choice("cluster", "espial_build_info", false),
    ...names.map(variable),
    new dashboard.TextBoxVariableBuilder("runbooks").label("runbooks").defaultValue(kRunbooks)
      .description("Where /usr/share/espial/runbooks is served."),
  ];
}
