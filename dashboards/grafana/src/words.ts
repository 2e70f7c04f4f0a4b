// SPDX-License-Identifier: Apache-2.0
// Colours that the colour-blind tell apart (the palette of Okabe and Ito), and the words that say
// the same without any.
export const kBlue = "#0072B2";
export const kSky = "#56B4E9";
export const kGreen = "#009E73";
export const kYellow = "#F0E442";
export const kOrange = "#E69F00";
export const kVermilion = "#D55E00";
export const kPurple = "#CC79A7";
export const kGrey = "#999999";

/** How a value reads: by itself, or from `from` to `to`. */
export interface Word {
  readonly value?: string;
  readonly from?: number | null;
  readonly to?: number | null;
  /** None: the number itself is the word. */
  readonly text?: string;
  readonly colour: string;
}
export type Words = readonly Word[];

/** A ratio of packets, 0 to 1. */
export const kCoverage: Words = [
  { value: "1", text: "100 % encrypted", colour: kBlue },
  { value: "0", text: "NOTHING encrypted", colour: kVermilion },
  { from: 0.999, to: 1, colour: kSky },
  { from: 0, to: 0.999, colour: kOrange },
];

export const kVerdicts: Words = [
  { value: "encrypted", text: "encrypted", colour: kBlue },
  { value: "silent", text: "silent", colour: kGrey },
  { value: "leaking", text: "LEAKING", colour: kVermilion },
  { value: "mixed", text: "MIXED", colour: kOrange },
  { value: "one_way", text: "one way", colour: kYellow },
  { value: "down", text: "down", colour: kPurple },
  { value: "exposed", text: "EXPOSED", colour: kVermilion },
  { value: "unknown", text: "unknown", colour: kGrey },
];

export const kModes: Words = [
  { value: "enforce", text: "enforce", colour: kBlue },
  { value: "audit", text: "audit", colour: kSky },
  { value: "monitor", text: "monitor only", colour: kOrange },
];

/** 0 is good, everything else is not. */
export const kZeroIsGood: Words = [
  { value: "0", text: "none", colour: kBlue },
  { from: 0, to: null, colour: kVermilion },
];

/** Of a state that should be 1. */
export function good(yes: string, no: string): Words {
  return [
    { value: "1", text: yes, colour: kBlue },
    { value: "0", text: no, colour: kVermilion },
  ];
}

/** Of a state that should be 0. */
export function bad(yes: string, no: string): Words {
  return [
    { value: "0", text: no, colour: kBlue },
    { value: "1", text: yes, colour: kVermilion },
  ];
}

/** Of a probe: 1 if it was answered, and 1 more if it was seen encrypted both ways. */
export const kProbes: Words = [
  { value: "2", text: "encrypted", colour: kBlue },
  { value: "1", text: "answered, NOT SEEN ENCRYPTED", colour: kVermilion },
  { value: "0", text: "NOT ANSWERED", colour: kOrange },
];

/** Series that are named by how a probe ended. */
export const kProbeColours: Readonly<Record<string, string>> = {
  encrypted: kBlue,
  ".*_leaks?": kVermilion,
  "lost.*": kOrange,
  fail_closed: kPurple,
  unseen: kYellow,
  pending: kGrey,
};

export const kSeverities: Words = [
  { value: "critical", text: "CRITICAL", colour: kVermilion },
  { value: "warning", text: "warning", colour: kOrange },
  { value: "info", text: "info", colour: kSky },
];

/** Series that are named by a class or reason, wherever they appear. */
export const kClassColours: Readonly<Record<string, string>> = {
  "esp( .*)?": kBlue,
  "esp_udp.*": kSky,
  "esp_tcp.*": kGreen,
  ".*(esp_null|ah)( .*)?": kPurple,
  ".*cleartext( .*)?": kVermilion,
  ".*cleartext_(tunnel|host|transit).*": kOrange,
  "ike.*": kGrey,
};
