// A table as CSV for spreadsheet programs.

import type { Column, Page, Paging, Row, Value } from './registers.ts';

/** Rows that are read at once for an export. */
const PAGE = 200;
/** A spreadsheet program takes a text that begins so for a formula; an apostrophe in front makes it a text. */
const FORMULA = /^\s*[=+\-@\t\r＝＋－＠]/;

export function cell(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const line = (values: Value[]): string => `${values.map(cell).join(',')}\r\n`;

/**
 * All rows as CSV in UTF-8, with the byte order mark by which Excel knows the encoding. Reads page by page and calls
 * `progress` with the number of rows; throws what a page throws, so a part is never taken for the whole.
 */
export async function csvOf(
  columns: Column<Row>[], read: (paging: Paging) => Promise<Page>, progress: (rows: number) => void, signal: AbortSignal,
): Promise<Blob> {
  const parts = ['\ufeff', line(columns.map((column) => column.name()))];
  let after: string | null = null;
  let count = 0;
  do {
    const page: Page = await read({ first: PAGE, ...(after === null ? {} : { after }) });
    signal.throwIfAborted();
    parts.push(page.rows.map((row) => line(columns.map((column) => column.value(row)))).join(''));
    progress((count += page.rows.length));
    after = page.next;
  } while (after !== null);
  return new Blob(parts, { type: 'text/csv;charset=utf-8' });
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has begun to read it when the click has been handled.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
