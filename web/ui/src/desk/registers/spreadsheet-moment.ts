import { shownZone } from '../../shared/format';

let format: Intl.DateTimeFormat | undefined;

/** A day and a time in the district's zone, as spreadsheet programs read one, for example 2026-11-19 09:20. */
export function spreadsheetMoment(at: Date): string {
  // A table has many thousands of them, and making a format takes longer than using it.
  if (format?.resolvedOptions().timeZone !== shownZone()) {
    format = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short', timeZone: shownZone() });
  }
  return format.format(at);
}
