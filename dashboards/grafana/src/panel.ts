// SPDX-License-Identifier: Apache-2.0
// What a dashboard is, before it is Grafana's: questions, and the queries that answer them. All
// four dashboards are values of these types; render.ts is the only place that knows Grafana.
import type { Words } from "./words.js";

/** One PromQL expression. `legend` names its series, `{{label}}` being one of their labels. */
export interface Query {
  readonly expr: string;
  readonly legend?: string;
  /** Of what a node receives: drawn dashed, so that directions differ without colour. */
  readonly received?: boolean;
}

interface Question {
  /** The question that the panel answers; ends with a question mark. */
  readonly title: string;
  /** What is shown, and what to do about it. */
  readonly description: string;
  /** Of 24 columns. */
  readonly width: number;
  readonly height: number;
  /** `full`: the compact set of metrics, of nodes with more than 64 peers, has nothing to show. */
  readonly needs?: "full";
  /** What is said when there is nothing to show. */
  readonly nothing?: string;
  readonly unit?: string;
  readonly decimals?: number;
  readonly words?: Words;
  /** The runbooks of these alerts are linked. */
  readonly runbooks?: readonly string[];
}

/** One big number or word for each query or series. */
export interface Stat extends Question {
  readonly kind: "stat";
  readonly queries: readonly Query[];
  /** The answer is this label of the series, not its value. */
  readonly label?: string;
}

/** Lines over time. `colours`: of series whose name matches; all others are shades of blue. */
export interface Lines extends Question {
  readonly kind: "lines";
  readonly queries: readonly Query[];
  readonly colours?: Readonly<Record<string, string>>;
  readonly max?: number;
  /** Values may be below zero. */
  readonly signed?: boolean;
}

/** Bars of words over time, one row per series. */
export interface States extends Question {
  readonly kind: "states";
  readonly queries: readonly Query[];
}

/** Rows of one instant query: `columns` are labels with their heading; `value` is the heading of
 * the number, or empty to hide it. */
export interface Table extends Question {
  readonly kind: "table";
  readonly queries: readonly [Query];
  readonly columns: Readonly<Record<string, string>>;
  readonly value: string;
  /** A row leads to the runbook of the alert that this column names. */
  readonly runbookOf?: string;
}

/** Who with whom: the label `node` down, `peer` across, in the cells `Value` or a label. A cell
 * leads to the dashboard of the pair. */
export interface Matrix extends Question {
  readonly kind: "matrix";
  readonly queries: readonly [Query];
  readonly cell: string;
}

export type Panel = Stat | Lines | States | Table | Matrix;

export interface Row {
  readonly row: string;
  readonly panels: readonly Panel[];
}

/** The variables besides `datasource`, `cluster` and `runbooks`, which each dashboard has. */
export type Variable = "node" | "one node" | "network" | "peer" | "one peer";

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}
