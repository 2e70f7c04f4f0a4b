// SPDX-License-Identifier: Apache-2.0
// Dashboards as Grafana's JSON, by Grafana's own builders.
import * as common from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as statetimeline from "@grafana/grafana-foundation-sdk/statetimeline";
import * as table from "@grafana/grafana-foundation-sdk/table";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

import type { Dashboard, Lines, Matrix, Panel, Query, Stat, States, Table } from "./panel.js";
import { variablesOf } from "./variables.js";
import { kBlue, kGrey, type Words } from "./words.js";

const kSource = { type: "prometheus", uid: "${datasource}" };
const kFullOnly = "Nodes with the compact set of metrics (more than 64 peers, or `metrics: compact`) have nothing to show here.";

type Builder<T> = { build(): T };
/** What all builders of panels share. */
interface Common {
  title(text: string): this;
  description(text: string): this;
  datasource(source: common.DataSourceRef): this;
  span(columns: number): this;
  height(rows: number): this;
  links(links: Builder<dashboard.DashboardLink>[]): this;
  withTarget(query: prometheus.DataqueryBuilder): this;
  mappings(mappings: dashboard.ValueMapping[]): this;
  thresholds(thresholds: dashboard.ThresholdsConfigBuilder): this;
  colorScheme(colour: dashboard.FieldColorBuilder): this;
  noValue(text: string): this;
  unit(unit: string): this;
  decimals(digits: number): this;
}

function link(title: string, url: string): Builder<dashboard.DashboardLink> {
  const built = new dashboard.DashboardLinkBuilder(title)
    .type(dashboard.DashboardLinkType.Link).url(url).targetBlank(true).build();
  // The default hides links of new Grafanas in a menu.
  return { build: () => { delete built.placement; return built; } };
}

function mappings(words: Words): dashboard.ValueMapping[] {
  return words.map((word, index) => {
    const result = { color: word.colour, index, ...(word.text === undefined ? {} : { text: word.text }) };
    return word.value === undefined
      ? { type: dashboard.MappingType.RangeToText, options: { from: word.from ?? null, to: word.to ?? null, result } }
      : { type: dashboard.MappingType.ValueToText, options: { [word.value]: result } };
  });
}

function thresholds(base: string): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute).steps([{ value: null, color: base }]);
}

function colour(mode: dashboard.FieldColorModeId, fixed?: string): dashboard.FieldColorBuilder {
  const builder = new dashboard.FieldColorBuilder().mode(mode);
  return fixed === undefined ? builder : builder.fixedColor(fixed);
}

/** Everything but the kind; refIds are A, B, … in the order of the queries. */
function shared<T extends Common>(builder: T, panel: Panel, shape: (query: prometheus.DataqueryBuilder) => void): T {
  builder.title(panel.title).datasource(kSource).span(panel.width).height(panel.height)
    .description(panel.needs === "full" ? `${panel.description} ${kFullOnly}` : panel.description)
    .links((panel.runbooks ?? []).map((name) => link(`Runbook: ${name}`, `\${runbooks}/${name}.md`)))
    .thresholds(thresholds(panel.words ? kGrey : kBlue))
    .colorScheme(colour(dashboard.FieldColorModeId.Thresholds));
  if (panel.words) builder.mappings(mappings(panel.words));
  if (panel.nothing) builder.noValue(panel.nothing);
  if (panel.unit) builder.unit(panel.unit);
  if (panel.decimals !== undefined) builder.decimals(panel.decimals);
  panel.queries.forEach((query: Query, index: number) => {
    const target = new prometheus.DataqueryBuilder().expr(query.expr).refId(String.fromCharCode(65 + index))
      .editorMode(prometheus.QueryEditorMode.Code);
    if (query.legend) target.legendFormat(query.legend);
    shape(target);
    builder.withTarget(target);
  });
  return builder;
}

function statPanel(panel: Stat): stat.PanelBuilder {
  const table = panel.label !== undefined;
  const reduce = new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]);
  return shared(new stat.PanelBuilder(), panel, (query) =>
    query.instant().format(table ? prometheus.PromQueryFormat.Table : prometheus.PromQueryFormat.TimeSeries))
    .graphMode(common.BigValueGraphMode.None)
    .colorMode(panel.words ? common.BigValueColorMode.Background : common.BigValueColorMode.None)
    .textMode(panel.queries.length > 1 ? common.BigValueTextMode.ValueAndName : common.BigValueTextMode.Value)
    .reduceOptions(table ? reduce.fields(`/^${panel.label}$/`) : reduce);
}

function linesPanel(panel: Lines): timeseries.PanelBuilder {
  const builder = shared(new timeseries.PanelBuilder(), panel, (query) => query.range())
    .colorScheme(colour(dashboard.FieldColorModeId.Shades, kBlue))
    .lineWidth(2)
    .legend(new common.VizLegendOptionsBuilder().showLegend(true)
      .displayMode(common.LegendDisplayMode.Table).placement(common.LegendPlacement.Right).calcs(["lastNotNull"]))
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi)
      .sort(common.SortOrder.Descending));
  if (!panel.signed) builder.min(0);
  if (panel.max !== undefined) builder.max(panel.max);
  for (const [name, value] of Object.entries(panel.colours ?? {})) {
    builder.overrideByRegexp(`/^(${name})$/`,
      [{ id: "color", value: { mode: "fixed", fixedColor: value } }]);
  }
  panel.queries.forEach((query, index) => {
    if (query.received) {
      builder.overrideByQuery(String.fromCharCode(65 + index),
        [{ id: "custom.lineStyle", value: { fill: "dash", dash: [10, 6] } }]);
    }
  });
  return builder;
}

function statesPanel(panel: States): statetimeline.PanelBuilder {
  return shared(new statetimeline.PanelBuilder(), panel, (query) => query.range())
    .showValue(common.VisibilityMode.Auto).mergeValues(true)
    .legend(new common.VizLegendOptionsBuilder().showLegend(true)
      .displayMode(common.LegendDisplayMode.List).placement(common.LegendPlacement.Bottom).calcs([]));
}

const kCell = { id: "custom.cellOptions", value: { type: "color-background", mode: "basic" } };

function tablePanel(panel: Table): table.PanelBuilder {
  const columns = Object.entries(panel.columns);
  const order = Object.fromEntries(columns.map(([label], index) => [label, index]));
  const builder = shared(new table.PanelBuilder(), panel, (query) =>
    query.instant().format(prometheus.PromQueryFormat.Table))
    .withTransformation({
      id: "organize",
      options: {
        excludeByName: { Time: true, __name__: true, cluster: true, ...(panel.value === "" ? { Value: true } : {}) },
        indexByName: { ...order, Value: columns.length },
        renameByName: { ...Object.fromEntries(columns), ...(panel.value === "" ? {} : { Value: panel.value }) },
      },
    })
    .filterable(true);
  if (panel.words) {
    builder.overrideByName(panel.value === "" ? "severity" : panel.value, [kCell]);
  }
  if (panel.runbookOf) {
    const url = `\${runbooks}/\${__value.text}.md`;
    builder.overrideByName(panel.runbookOf, [{ id: "links", value: [{ title: "Runbook", url, targetBlank: true }] }]);
  }
  return builder;
}

function matrixPanel(panel: Matrix): table.PanelBuilder {
  const pair = "/d/espial-peer?var-datasource=${datasource}&var-cluster=${cluster}&var-node=${__data.fields[0]}" +
    "&var-peer=${__field.name}&${__url_time_range}";
  return shared(new table.PanelBuilder(), panel, (query) => query.instant().format(prometheus.PromQueryFormat.Table))
    .withTransformation({
      id: "groupingToMatrix",
      options: { columnField: "peer", rowField: "node", valueField: panel.cell, emptyValue: "null" },
    })
    .overrideByRegexp("/^(?!node\\\\peer$).*$/", [
      kCell, { id: "links", value: [{ title: "This pair in depth", url: pair }] },
    ]);
}

function render(panel: Panel): Builder<dashboard.Panel> {
  switch (panel.kind) {
    case "stat": return statPanel(panel);
    case "lines": return linesPanel(panel);
    case "states": return statesPanel(panel);
    case "table": return tablePanel(panel);
    case "matrix": return matrixPanel(panel);
  }
}

export function toGrafana(value: Dashboard): dashboard.Dashboard {
  const others = new dashboard.DashboardLinkBuilder("Espial").type(dashboard.DashboardLinkType.Dashboards)
    .tags(["espial"]).asDropdown(false).includeVars(true).keepTime(true).build();
  delete others.placement;
  const builder = new dashboard.DashboardBuilder(value.title).uid(value.uid).description(value.description)
    .tags(["espial"]).refresh("30s").time({ from: "now-1h", to: "now" })
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .variables(variablesOf(value.variables)).links([{ build: () => others }]);
  for (const row of value.rows) {
    builder.withRow(new dashboard.RowBuilder(row.row));
    for (const panel of row.panels) builder.withPanel(render(panel));
  }
  const built = builder.build();
  built.panels?.forEach((panel, index) => { panel.id = index + 1; });
  return built;
}
