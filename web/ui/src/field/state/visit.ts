// The values that an officer fills in at a visit, and the input that they become.

import type { HazardLevel, InspectionResult } from '#graph';

import type { PhotoUse } from '../outbox/action';

export type FindingDraft = {
  /** The hazard that it amends, after the command centre returned the inspection. */
  hazard: string | null;
  level: HazardLevel;
  category: string;
  description: string;
  /** Days until the deadline; null if a day was chosen. */
  days: number | null;
  /** The chosen day, as YYYY-MM-DD. */
  day: string;
  fixedOnSpot: boolean;
  photos: string[];
};

export type VisitDraft = { result: InspectionResult | null; summary: string; findings: FindingDraft[] };

export const emptyVisit = (): VisitDraft => ({ result: null, summary: '', findings: [] });

export const emptyFinding = (): FindingDraft => ({
  hazard: null, level: 'GENERAL', category: '', description: '', days: 7, day: '', fixedOnSpot: false, photos: [],
});

const DAY = 86_400_000;

/** The end of a day in a zone, as an instant. */
export function endOfDay(day: string, timeZone: string): string {
  const midnight = Date.parse(`${day}T00:00:00Z`) + DAY;
  const shown = new Intl.DateTimeFormat('en-CA', {
    timeZone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
  }).format(midnight).replace(', ', 'T');
  const ahead = Date.parse(`${shown}Z`) - midnight;
  return new Date(midnight - ahead - 1000).toISOString();
}

/** The day so many days after now in a zone, as YYYY-MM-DD. */
export function dayAfter(now: number, days: number, timeZone: string): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone }).format(now + days * DAY);
}

/** The deadline of a finding; null for one that was fixed on the spot. */
export function deadlineOf(finding: FindingDraft, now: number, timeZone: string): string | null {
  if (finding.fixedOnSpot && finding.level === 'GENERAL') return null;
  const day = finding.days === null ? finding.day : dayAfter(now, finding.days, timeZone);
  return /^\d{4}-\d\d-\d\d$/.test(day) ? endOfDay(day, timeZone) : null;
}

/** Why the visit cannot be submitted yet; null if it can. */
export function missing(visit: VisitDraft): 'RESULT' | 'FINDINGS' | 'DESCRIPTION' | 'DAY' | null {
  if (visit.result === null) return 'RESULT';
  if (visit.result !== 'HAZARDS_FOUND') return null;
  if (visit.findings.length === 0) return 'FINDINGS';
  if (visit.findings.some(({ description }) => description.trim() === '')) return 'DESCRIPTION';
  return visit.findings.some(({ days, day, fixedOnSpot, level }) => days === null && day === '' && !(fixedOnSpot && level === 'GENERAL')) ? 'DAY' : null;
}

export function toInput(inspection: string, visit: VisitDraft, now: number, timeZone: string): { input: Record<string, unknown>; photos: PhotoUse[] } {
  const findings = visit.result === 'HAZARDS_FOUND' ? visit.findings : [];
  const input = {
    inspection,
    result: visit.result,
    ...(visit.summary.trim() ? { summary: visit.summary.trim() } : {}),
    findings: findings.map((finding) => ({
      ...(finding.hazard ? { hazard: finding.hazard } : {}),
      level: finding.level,
      ...(finding.category ? { category: finding.category } : {}),
      description: finding.description.trim(),
      deadline: deadlineOf(finding, now, timeZone),
      fixedOnSpot: finding.level === 'GENERAL' && finding.fixedOnSpot,
      evidence: [],
    })),
  };
  const photos = findings.flatMap((finding, index) => finding.photos.map((photo) => ({ photo, path: `findings.${index}.evidence` })));
  return { input, photos };
}
